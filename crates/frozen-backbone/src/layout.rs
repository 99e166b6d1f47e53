//! Between channel planes, as candle and users hold them, and pixels with their channels innermost, as the kernels do.

/// Channel planes of `area` pixels from pixels that store `stored` channels; channels beyond `channels` are dropped.
pub(crate) fn to_planes(pixels: &[f32], stored: usize, channels: usize, planes: &mut [f32]) {
    let area = planes.len() / channels.max(1);
    for (c, plane) in planes.chunks_exact_mut(area.max(1)).enumerate() {
        plane.iter_mut().zip(pixels.chunks_exact(stored)).for_each(|(p, pixel)| *p = pixel[c]);
    }
}

/// Pixel `(y, x)` of plane `c` goes to `pixels[at(c, y, x)]`.
pub(crate) fn from_planes(
    planes: &[f32],
    width: usize,
    area: usize,
    pixels: &mut [f32],
    at: impl Fn(usize, usize, usize) -> usize,
) {
    for (c, plane) in planes.chunks_exact(area.max(1)).enumerate() {
        for (y, line) in plane.chunks_exact(width).enumerate() {
            line.iter().enumerate().for_each(|(x, v)| pixels[at(c, y, x)] = *v);
        }
    }
}
