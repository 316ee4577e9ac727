//! Who may import whom: the rule of the house, read off the `use` lines.

use std::collections::BTreeMap;
use std::path::Path;

/// Each module of the root crate and what of the crate it may use (`error` is open to all).
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let list = |s: &'static str| s.split_whitespace().collect::<Vec<_>>();
    BTreeMap::from([
        ("error", vec![]),
        ("lane", vec![]),
        ("event", vec![]),
        ("tile", list("event")),
        ("io", list("event")),
        ("metrics", list("event")),
        ("synth", list("event lane sampling")),
        ("domain", list("lane event sampling")),
        ("net", list("lane sampling")),
        ("backend", list("net lane sampling")),
        ("quant", list("net lane entropy")),
        ("fit", list("backend net domain sampling quant")),
        ("pattern", list("lane")),
        ("support", list("entropy")),
        ("residual", list("support event lane sampling entropy")),
        ("prior", list("container residual net event")),
        ("field", list("backend net domain pattern lane event tile sampling")),
        ("container", list("net domain pattern support residual quant event tile entropy")),
        ("settings", list("fit backend net domain pattern support residual quant event tile lane sampling")),
        (
            "codec",
            list(
                "settings fit field query quant support residual prior pattern container domain metrics tile backend net \
                 event lane sampling entropy",
            ),
        ),
        ("rate", list("codec settings container domain event tile lane")),
        ("query", list("field domain pattern container backend lane event tile")),
        ("rivals", list("codec baselines event")),
    ])
}

/// The modules that `line` imports: `crate::x`, `super::...` counts as the module itself.
fn imports(line: &str) -> Vec<String> {
    let mut out = vec![];
    for (prefix, rename) in [
        ("crate::", ""),
        ("inrfit_sampling", "sampling"),
        ("inrfit_entropy", "entropy"),
        ("inrfit_figures", "figures"),
        ("inrfit_baselines", "baselines"),
    ] {
        for (at, _) in line.match_indices(prefix) {
            if rename.is_empty() {
                let rest = &line[at + prefix.len()..];
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                out.push(name);
            } else {
                out.push(rename.to_owned());
            }
        }
    }
    out
}

fn check(module: &str, path: &Path, may: &[&str], faults: &mut Vec<String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            check(module, &entry.unwrap().path(), may, faults);
        }
        return;
    }
    // Data that the program ships with import nothing.
    if path.extension().is_none_or(|e| e != "rs") {
        return;
    }
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or("");
    for line in code.lines().filter(|l| !l.trim_start().starts_with("//") && !l.contains("$crate")) {
        for name in imports(line) {
            // An import of several modules in braces has no name here: it is a fault too, so that none hides.
            let own = name == module || name == "error";
            let crate_macro = name == "with_samples";
            if !own && !crate_macro && !may.contains(&name.as_str()) {
                faults.push(format!("{}: {module} may not use {name}", path.display()));
            }
        }
    }
}

#[test]
fn nothing_points_back_up() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed = allowed();
    let mut faults = vec![];
    for entry in std::fs::read_dir(&src).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        match allowed.get(module.as_str()) {
            Some(may) => check(&module, &path, may, &mut faults),
            None if ["lib", "main", "cli"].contains(&module.as_str()) => {}
            None => faults.push(format!("{module}: a module without a rule; add one here")),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn leaf_crates_know_nothing_of_the_root() {
    for leaf in ["sampling", "entropy", "figures", "baselines"] {
        if !Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci").is_dir() {
            eprintln!("skipped: this is the packaged crate, without its workspace");
            return;
        }
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join(leaf).join("Cargo.toml");
        let text = std::fs::read_to_string(manifest).unwrap();
        let dependencies = text.split("[dependencies]").nth(1).unwrap_or("");
        let others: Vec<&str> = dependencies.lines().filter(|l| l.starts_with("inrfit-")).collect();
        // Rivals that have no entropy coder of their own use ours.
        let strange = others.iter().any(|l| leaf != "baselines" || !l.starts_with("inrfit-entropy"));
        assert!(!strange, "{leaf} depends on another crate of the house: {others:?}");
    }
}
