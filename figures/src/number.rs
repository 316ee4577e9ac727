//! Optional floats in rows: exact both ways, infinities and NaN included.
//!
//! JSON has no infinity (a lossless file's PSNR is infinite), so the three values that are not finite travel there
//! as the strings `"inf"`, `"-inf"` and `"NaN"`; CSV spells them the same way.

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::ser::Serializer;
use std::fmt;

pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        None => serializer.serialize_none(),
        Some(v) if v.is_finite() => serializer.serialize_f64(*v),
        Some(v) if v.is_nan() => serializer.serialize_str("NaN"),
        Some(v) => serializer.serialize_str(if *v > 0.0 { "inf" } else { "-inf" }),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    deserializer.deserialize_option(Number)
}

struct Number;

impl<'de> Visitor<'de> for Number {
    type Value = Option<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"inf\", \"-inf\", \"NaN\" or nothing")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(Number)
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Self::Value, E> {
        Ok(Some(v))
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Self::Value, E> {
        Ok(Some(v as f64))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Self::Value, E> {
        Ok(Some(v as f64))
    }

    fn visit_u128<E: Error>(self, v: u128) -> Result<Self::Value, E> {
        Ok(Some(v as f64))
    }

    fn visit_i128<E: Error>(self, v: i128) -> Result<Self::Value, E> {
        Ok(Some(v as f64))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Self::Value, E> {
        v.trim().parse().map(Some).map_err(|_| E::invalid_value(Unexpected::Str(v), &self))
    }
}
