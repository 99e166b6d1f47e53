//! Measures and numbers in words.

/// Units that keys of measures end in, and how they are written.
const UNITS: [(&str, &str); 9] = [
    ("px", "px"),
    ("px2", "px²"),
    ("px3", "px³"),
    ("rad", "rad"),
    ("mm", "mm"),
    ("mg", "mg"),
    ("n", "N"),
    ("c", "C"),
    ("years", "years"),
];

/// Name and unit of a measure from its key: `stain_area_px2` is "stain area" in "px²".
pub(super) fn name_and_unit(key: &str) -> (String, &'static str) {
    let found = key.rsplit_once('_').and_then(|(name, last)| {
        let unit = UNITS.iter().find(|(suffix, _)| *suffix == last)?;
        Some((name, unit.1))
    });
    let (name, unit) = found.unwrap_or((key, ""));
    (name.replace('_', " "), unit)
}

/// A number with three significant digits, those before the decimal point all.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "not a number".to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e9).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = if size == 0.0 { 0 } else { (2 - size.log10().floor() as i32).max(0) as usize };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_end_in_units() {
        for (key, name, unit) in [
            ("length_px", "length", "px"),
            ("stain_area_px2", "stain area", "px²"),
            ("volume_px3", "volume", "px³"),
            ("load_n", "load", "N"),
            ("exposure_years", "exposure", "years"),
            ("pit_count", "pit count", ""),
            ("max_slope", "max slope", ""),
            ("px", "px", ""),
        ] {
            assert_eq!(name_and_unit(key), (name.to_owned(), unit));
        }
    }

    #[test]
    fn numbers_have_three_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (12345.6, "12346"),
            (123.4, "123"),
            (12.34, "12.3"),
            (1.0, "1"),
            (0.98765, "0.988"),
            (-0.004567, "-0.00457"),
            (1e-7, "1.00e-7"),
            (3.5e12, "3.50e12"),
            (f64::NAN, "not a number"),
        ] {
            assert_eq!(number(value), text, "{value}");
        }
    }
}
