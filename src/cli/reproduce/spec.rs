//! Settings as text: `key=value,flag`. Rows carry them, and `inrfit bench --settings` takes them.

/// `base` with what `over` says instead; `default` says nothing.
pub fn merged(base: &str, over: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in base.split(',').chain(over.split(',')).map(str::trim).filter(|w| *w != "default") {
        let key = key_of(word);
        words.retain(|w| key_of(w) != key);
        words.push(word);
    }
    words.join(",")
}

fn key_of(word: &str) -> &str {
    word.split('=').next().unwrap_or_default()
}

/// Whether `spec` says anything of `key`.
pub fn has(spec: &str, key: &str) -> bool {
    spec.split(',').any(|word| key_of(word.trim()) == key)
}

/// The value of `key` in `spec`.
pub fn value<'a>(spec: &'a str, key: &str) -> Option<&'a str> {
    spec.split(',').find_map(|word| word.split_once('=').filter(|(k, _)| *k == key).map(|(_, v)| v))
}

/// The number of `key` in `spec`.
pub fn number(spec: &str, key: &str) -> Option<f64> {
    value(spec, key)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_words_replace_earlier_ones() {
        assert_eq!(merged("mode=field,bits=float,correct", "default"), "mode=field,bits=float,correct");
        assert_eq!(
            merged("mode=field,bits=float,correct", "bits=5, correct,steps=3"),
            "mode=field,bits=5,correct,steps=3"
        );
        assert_eq!(value("factor=16,steps=3", "steps"), Some("3"));
        assert_eq!(number("factor=16,steps=x", "steps"), None);
        assert_eq!(number("factor=16,steps=3", "factor"), Some(16.0));
    }
}
