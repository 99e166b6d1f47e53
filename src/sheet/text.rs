//! Text in an embedded font, antialiased.

use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use image::{Rgb, RgbImage};

/// Font of a text, with its height from the highest ascender to the lowest descender in px.
#[derive(Debug, Clone)]
pub(crate) struct Face {
    /// `None` only if the file inside the program were broken; texts are then left out.
    font: Option<FontRef<'static>>,
    height: f32,
}

impl Face {
    /// Open Sans, for running text.
    pub(crate) fn regular(height: f32) -> Self {
        Self { font: FontRef::try_from_slice(include_bytes!("fonts/OpenSans-Regular.ttf")).ok(), height }
    }

    /// Open Sans Semibold, for what is to be seen first.
    pub(crate) fn semibold(height: f32) -> Self {
        Self { font: FontRef::try_from_slice(include_bytes!("fonts/OpenSans-Semibold.ttf")).ok(), height }
    }

    /// Distance of one line from the next, px.
    pub(crate) fn line(&self) -> u32 {
        self.height.ceil() as u32
    }

    /// Width of a text, px. A character that the font lacks is a box.
    pub(crate) fn width(&self, text: &str) -> f32 {
        let Some(font) = &self.font else { return 0.0 };
        let font = font.as_scaled(PxScale::from(self.height));
        text.chars().map(|c| font.h_advance(font.glyph_id(shown(c)))).sum()
    }

    /// The text, or the longest start of it with an ellipsis that is at most `width` px wide.
    pub(crate) fn fit(&self, text: &str, width: f32) -> String {
        // no letter is narrower than a fiftieth of its height: what is longer cannot fit, and is not measured
        let most = (50.0 * width.max(0.0) / self.height.max(1.0)) as usize + 1;
        let mut letters: Vec<char> = text.chars().take(most + 1).collect();
        let is_whole = letters.len() <= most;
        if is_whole && self.width(text) <= width {
            return text.to_owned();
        }
        let room = width - self.width("…");
        let mut used = 0.0;
        let fitting = letters.iter().take_while(|c| {
            used += self.width(c.encode_utf8(&mut [0; 4]));
            used <= room
        });
        let count = fitting.count();
        letters.truncate(count);
        while letters.last().is_some_and(|c| c.is_whitespace()) {
            letters.pop();
        }
        if room >= 0.0 { letters.into_iter().chain(['…']).collect() } else { String::new() }
    }

    /// Draws one line of text whose upper left corner is (left, top); what lies outside of the canvas is left out.
    pub(crate) fn draw(&self, canvas: &mut RgbImage, (left, top): (u32, u32), ink: Rgb<u8>, text: &str) {
        let Some(font) = &self.font else { return };
        let scaled = font.as_scaled(PxScale::from(self.height));
        let (mut x, baseline) = (left as f32, top as f32 + scaled.ascent());
        for c in text.chars() {
            let id = scaled.glyph_id(shown(c));
            let glyph: Glyph = id.with_scale_and_position(self.height, point(x, baseline.round()));
            x += scaled.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let bounds = outline.px_bounds();
            outline.draw(|dx, dy, cover| {
                let (x, y) = (bounds.min.x + dx as f32, bounds.min.y + dy as f32);
                if x < 0.0 || y < 0.0 {
                    return;
                }
                if let Some(pixel) = canvas.get_pixel_mut_checked(x as u32, y as u32) {
                    let cover = cover.clamp(0.0, 1.0);
                    for (below, ink) in pixel.0.iter_mut().zip(ink.0) {
                        *below = (f32::from(*below) + (f32::from(ink) - f32::from(*below)) * cover).round() as u8;
                    }
                }
            });
        }
    }
}

/// The character itself, or one that says that something is there.
fn shown(c: char) -> char {
    if c.is_control() { '\u{FFFD}' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INK: Rgb<u8> = Rgb([0, 0, 0]);

    fn drawn(face: &Face, text: &str) -> RgbImage {
        let mut canvas = RgbImage::from_pixel(120, 24, Rgb([255; 3]));
        face.draw(&mut canvas, (4, 2), INK, text);
        canvas
    }

    fn ink(canvas: &RgbImage) -> f64 {
        canvas.pixels().map(|p| f64::from(255 - p.0[0]) / 255.0).sum()
    }

    #[test]
    fn both_fonts_are_whole_and_semibold_is_darker() {
        let (regular, semibold) = (Face::regular(16.0), Face::semibold(16.0));
        assert!(regular.font.is_some() && semibold.font.is_some());
        let text = "crack ×2 µm – Größe";
        let (thin, thick) = (ink(&drawn(&regular, text)), ink(&drawn(&semibold, text)));
        assert!(thin > 50.0 && thick > 1.1 * thin, "{thin} {thick}");
        // each of these has a glyph of its own: none looks as the box of a missing one
        let missing = drawn(&regular, "\u{1F980}");
        for letter in "Aé×µ²³√≥–…ßЖΔ€".chars() {
            assert_ne!(drawn(&regular, &letter.to_string()), missing, "{letter}");
        }
        assert!(ink(&missing) > 5.0, "a missing letter is a box");
    }

    #[test]
    fn a_bar_is_as_tall_and_wide_as_the_font_says() {
        // Open Sans: 2048 units an em, ascent 2189, descent 600, so that a height of 2789 / 64 px is 32 px an em; the
        // letter I is 571 units wide, its stem 190 (from 190 to 380) and 1462 tall
        let face = Face::regular(2789.0 / 64.0);
        assert!((face.width("I") - 571.0 / 64.0).abs() < 0.01, "{}", face.width("I"));
        let mut canvas = RgbImage::from_pixel(40, 60, Rgb([255; 3]));
        face.draw(&mut canvas, (0, 0), INK, "I");
        let expected = 1462.0 / 64.0 * (ink_width(&canvas));
        assert!((ink(&canvas) - expected).abs() < 0.06 * expected, "{} {expected}", ink(&canvas));
    }

    /// Ink of the row in the middle of the letter, px.
    fn ink_width(canvas: &RgbImage) -> f64 {
        (0..canvas.width()).map(|x| f64::from(255 - canvas.get_pixel(x, 25).0[0]) / 255.0).sum()
    }

    #[test]
    fn a_long_text_is_cut_with_an_ellipsis() {
        let face = Face::regular(14.0);
        assert_eq!(face.fit("short", 200.0), "short");
        let cut = face.fit("a name that is far too long for its cell", 100.0);
        assert!(cut.ends_with('…') && cut.starts_with("a name") && face.width(&cut) <= 100.0, "{cut}");
        let endless = "x".repeat(1 << 20);
        assert!(face.width(&face.fit(&endless, 100.0)) <= 100.0);
        assert_eq!(face.fit("name", 1.0), "");
        assert_eq!(face.fit("name", f32::NAN), "");
    }
}
