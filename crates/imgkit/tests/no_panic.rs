//! Odd arguments of every public function: a value or a typed error, never a panic.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test, in helpers too

use imgkit::components::{component_pixels, label_components};
use imgkit::distance::{
    deepest_squared, half_width, near_background, squared_to_background, to_background, to_foreground,
};
use imgkit::level::{from_u8, from_u16, to_u8, to_u16};
use imgkit::rng::{Retry, keyed_stream};
use imgkit::seam::{SeamFaces, band_energy_ratio, seam_index};
use imgkit::wavelet::{self, Atrous};
use imgkit::{Rect, Size, bounding_box, boxes, ensure, first_non_finite, robust};
use ndarray::{Array2, Array3, ArrayView2, Axis};
use oracles::both_ways;
use proptest::prelude::*;

fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        12 => 0.0f32..1.0,
        1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, -0.0, 1e-40]),
    ]
}

/// Sides from 0; most are small.
fn side() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0usize), 4 => 1usize..6, 6 => 6usize..24]
}

/// A number of pixels that may be the largest there is.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0usize..30, 1 => prop::sample::select(vec![usize::MAX, usize::MAX - 1, usize::MAX / 2, 1 << 40])]
}

fn mask() -> impl Strategy<Value = Array2<bool>> {
    (side(), side(), prop::collection::vec(prop::bool::weighted(0.3), 1..40)).prop_map(|(height, width, marks)| {
        Array2::from_shape_fn((height, width), |(y, x)| marks[(y * width + x) % marks.len()])
    })
}

/// An image that often has the size of the mask.
fn image_and_mask() -> impl Strategy<Value = (Array3<f32>, Array2<bool>)> {
    let extra = || prop_oneof![6 => Just(0usize), 1 => 1usize..4];
    (mask(), extra(), extra(), 0usize..5, prop::collection::vec(number(), 1..9)).prop_map(
        |(mask, down, right, channels, values)| {
            let dim = (mask.nrows() + down, mask.ncols() + right, channels);
            let image = Array3::from_shape_fn(dim, |(y, x, c)| values[(y * 7 + x * 3 + c) % values.len()]);
            (image, mask)
        },
    )
}

fn rect() -> impl Strategy<Value = Rect> {
    (length(), length(), length(), length()).prop_map(|(top, left, bottom, right)| Rect { top, left, bottom, right })
}

proptest! {
    #[test]
    fn masks_of_any_shape(mask in mask(), cap in number()) {
        let marked = mask.iter().filter(|&&m| m).count();
        let components = label_components(mask.view());
        prop_assert_eq!(components.sizes.iter().sum::<usize>(), marked);
        let pixels = component_pixels(mask.view());
        let listed: Vec<usize> = pixels.iter().map(Vec::len).collect();
        prop_assert_eq!(&listed, &components.sizes);
        for (i, one) in pixels.iter().enumerate() {
            prop_assert!(one.iter().all(|&at| components.labels[at] as usize == i + 1));
        }

        let boxes = boxes::separate(mask.view());
        prop_assert_eq!(boxes.iter().copied().reduce(Rect::union), bounding_box(mask.view()));

        let squared = squared_to_background(mask.view());
        prop_assert!(squared.iter().zip(&mask).all(|(&d, &m)| (d == 0) != m));
        prop_assert_eq!(deepest_squared(mask.view()), squared.iter().fold(0, |a, &d| a.max(d)));
        for most in [0, 3, u64::MAX - 1] {
            let near = near_background(mask.view(), most);
            prop_assert!(squared.iter().zip(&near).all(|(&d, &n)| n == (d <= most)));
        }
        let inward = to_background(mask.view());
        prop_assert_eq!(to_foreground(mask.mapv(|m| !m).view()), inward.clone());
        prop_assert_eq!(half_width(inward.view(), cap).dim(), mask.dim());
        let _ = SeamFaces::new(mask.view()).jumps(&[0.5; 7]);
    }

    /// A mask whose rows are not contiguous, or run backward, is the mask it shows.
    #[test]
    fn masks_of_any_memory_layout(mask in mask()) {
        let mut turned = mask.view().reversed_axes();
        turned.invert_axis(Axis(0));
        let copy = turned.as_standard_layout().into_owned();
        let same = |f: fn(ArrayView2<'_, bool>) -> String| f(turned) == f(copy.view());
        let all = [
            same(|m| format!("{:?}", label_components(m))),
            same(|m| format!("{:?}", boxes::separate(m))),
            same(|m| format!("{:?}", squared_to_background(m))),
            same(|m| format!("{:?}", near_background(m, 5))),
            same(|m| format!("{:?}", bounding_box(m))),
        ];
        prop_assert_eq!(all, [true; 5]);
    }

    #[test]
    fn rectangles_of_any_corners(a in rect(), b in rect(), margin in length(), height in length(), width in length()) {
        let size = Size { height, width };
        for r in [a, b, a.union(b), a.grow(margin, size), a.relative_to(b), a.offset_by(b), Rect::whole(size)] {
            prop_assert_eq!(r.is_empty(), r.height() == 0 || r.width() == 0);
            prop_assert!(r.area() >= r.size().height.min(r.size().width) || r.is_empty());
            let image = Array2::from_elem((5, 4), 1u8);
            prop_assert!(r.crop(image.view()).len() <= 20);
            let mut stack = Array3::from_elem((5, 4, 2), 1u8);
            prop_assert!(r.crop_mut(stack.view_mut()).len() <= 40);
            let _ = (r.slice_of(Axis(0)), r.slice_of(Axis(7)), r.contains((height, width)));
        }
        prop_assert!(Rect::pixel((height, width)).area() <= 1);
        prop_assert!(Rect::around([(height, width), (0, 0)]).is_some());
    }

    #[test]
    fn numbers_of_any_kind(
        values in prop::collection::vec(number(), 0..20),
        other in prop::collection::vec(number(), 0..20),
        gain in number(),
        level in any::<u16>(),
        keys in any::<[u64; 4]>(),
    ) {
        for &v in &values {
            let _ = (to_u8(v), to_u16(v));
        }
        prop_assert!((0.0..=1.0).contains(&from_u16(level)) && from_u8(level as u8) <= 1.0);
        let _ = (robust::scale(&values), robust::scale_of_sum(&values, gain, &other, &mut Vec::new()));
        let _ = keyed_stream(keys[0], keys[1]);
        let retry = Retry::new(keys[2] % 5, keys[3]);
        prop_assert_eq!(retry.indices(keys[0]).count() as u64, retry.tries());
        prop_assert_eq!(retry.first_success(keys[0], |i| if i == keys[0] { Ok(i) } else { Err(i) }), Ok(keys[0]));
        let ok = gain > 0.5;
        prop_assert_eq!(ensure(ok, "test", "gain", gain, "above one half").is_ok(), ok);
    }
}

#[test]
fn seams_of_any_image() {
    both_ways(256, &image_and_mask(), |(image, mask)| {
        let finite = image.iter().all(|v| v.is_finite());
        assert_eq!(first_non_finite(image.view()).is_none(), finite);
        seam_index(image.view(), mask.view()).is_ok()
    });
    let bands = prop_oneof![6 => 0usize..9, 1 => Just(usize::MAX)];
    both_ways(256, &(image_and_mask(), bands), |((image, mask), bands)| {
        band_energy_ratio(image.view(), mask.view(), bands).is_ok()
    });
}

#[test]
fn wavelets_of_any_plane() {
    let levels = || prop_oneof![4 => 0usize..12, 1 => Just(usize::MAX)];
    both_ways(128, &(image_and_mask(), levels()), |((image, _), levels)| {
        let _ = (wavelet::reach(levels), wavelet::slots(image.len(), levels));
        let Some(plane) = image.axis_iter(Axis(2)).next() else { return false };
        Atrous::decompose(plane, levels).map(|bands| bands.reconstruct()).is_ok()
    });
    let window = prop_oneof![1 => rect(), 2 => Just(Rect::whole((9, 9)))];
    let bands = prop_oneof![1 => 0usize..400, 2 => Just(81 * 4)];
    both_ways(128, &(bands, levels(), window), |(slots, levels, window)| {
        wavelet::decompose(&mut vec![0.5; slots], (9, 9), levels, window, &mut Vec::new()).is_ok()
    });
}

#[cfg(feature = "resize")]
#[test]
fn resizing_from_and_to_any_size() {
    use imgkit::resize::{Kernel, resize, resize_map, resize_u8};
    let to = || prop_oneof![6 => 0usize..40, 1 => prop::sample::select(vec![usize::MAX, 1 << 32, 1 << 31])];
    let strategy = (image_and_mask(), to(), to(), prop::bool::ANY);
    both_ways(256, &strategy, |((image, _), height, width, area)| {
        let kernel = if area { Kernel::Area } else { Kernel::Bilinear };
        let bytes = resize_u8(image.mapv(to_u8).view(), (height, width), kernel);
        let floats = resize(image.view(), (height, width), kernel);
        if let Some(plane) = image.axis_iter(Axis(2)).next() {
            assert_eq!(resize_map(plane, (height, width), kernel).is_ok(), floats.is_ok());
        }
        bytes.is_ok_and(|b| b.dim().0 == height)
    });
}

#[cfg(feature = "image")]
proptest! {
    #[test]
    fn pictures_of_any_array((image, _) in image_and_mask()) {
        use imgkit::convert::{from_rgb_image, to_rgb_image};
        use imgkit::image_io::Photo;
        let shown = to_rgb_image(image.view());
        prop_assert_eq!((shown.height() as usize, shown.width() as usize), (image.dim().0, image.dim().1));
        prop_assert_eq!(from_rgb_image(&shown).dim().2, 3);
        prop_assert_eq!(Photo::from(&shown).bits(), 8);
    }
}

#[test]
fn photos_in_any_window() {
    use imgkit::image_io::Photo;
    both_ways(128, &(image_and_mask(), number(), number()), |((image, _), low, high)| {
        let photo = Photo::F32(image);
        assert_eq!(photo.to_f32().dim(), photo.dim());
        photo.to_rgb8((low, high)).is_ok()
    });
}

/// A picture with some bytes altered or cut off: refused, or read as whatever it says.
#[cfg(all(feature = "png", feature = "tiff"))]
#[test]
fn any_file() {
    use imgkit::image_io::tiff::{read_map, write_map};
    use imgkit::image_io::{MaskRule, decode_photo, read_class_ids, read_mask, read_photo, read_size};
    let folder = tempfile::tempdir().unwrap();
    let (png, tiff) = (folder.path().join("a.png"), folder.path().join("a.tiff"));
    let picture = image::RgbImage::from_fn(9, 7, |x, y| image::Rgb([x as u8, y as u8, 3]));
    imgkit::image_io::write_png(&png, &picture).unwrap();
    write_map(&tiff, Array2::from_elem((4, 5), 0.5).view()).unwrap();
    assert!(write_map(&tiff, Array2::zeros((0, 5)).view()).is_err());
    let whole = [std::fs::read(&png).unwrap(), std::fs::read(&tiff).unwrap()];
    let altered = folder.path().join("altered");
    let strategy = (
        0usize..2,
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        prop::option::weighted(0.3, any::<prop::sample::Index>()),
    );
    both_ways(128, &strategy, |(which, changes, cut)| {
        let mut bytes = whole[which].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        std::fs::write(&altered, &bytes).unwrap();
        let _ = (read_size(&altered), read_map(&altered), read_class_ids(&altered));
        let _ = (read_mask(&altered, MaskRule::NonZero), read_mask(&altered, MaskRule::LumaAbove(f32::NAN)));
        let read = decode_photo(&bytes, "altered").is_ok();
        assert_eq!(read_photo(&altered).is_ok(), read);
        read
    });
}
