//! The facade's public constructors and functions on odd arguments: a value or a typed error, never a panic.
#![allow(clippy::unwrap_used)] // a test may panic

use std::cell::Cell as Count;
use std::path::Path;

use maphc2f::adbench::dataset::Policy;
use maphc2f::adbench::loaders::Mvtec;
use maphc2f::factory::{DatasetParams, Format, Formats, Materials, MechanismMix, MixEntry, PhotoSet, Shard, preview};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::physdefect::appearance::Material;
use maphc2f::physdefect::registry::Registry;
use maphc2f::physdefect::{Domain, SampleKey};
use maphc2f::{
    Arrangement, BilevelParams, Category, Cell, Error, InspectionParams, MATERIALS, PHYSICAL, Pipeline, PipelineSource,
    Preview, PreviewSample, RankingParams, Sheet, Stage, check_dataset, find_defects, load_photo, load_photos,
    overlay_heatmap, resize_square, scaled_margin, shrink_to_side, take_few_shot, warm_start,
};
use ndarray::{Array2, Array3};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Numbers as a careless caller may give them.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-1.0),
        Just(0.0),
        Just(1e300),
        0.0..1.0f64
    ]
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX), 0..100u64]
}

fn side() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), Just(1), Just(usize::MAX), 2..80usize]
}

/// Runs `test` on many values and sees both outcomes.
fn both<S: Strategy, T, E>(values: &S, test: impl Fn(S::Value) -> Result<T, E>) {
    let (good, bad) = (Count::new(0), Count::new(0));
    let run = |value| {
        let outcome = if test(value).is_ok() { &good } else { &bad };
        outcome.set(outcome.get() + 1);
        Ok(())
    };
    TestRunner::deterministic().run(values, run).unwrap();
    assert!(good.get() > 0 && bad.get() > 0, "{} good, {} bad", good.get(), bad.get());
}

#[test]
fn parameters_of_a_data_set() {
    both(&(count(), side(), number(), any::<u64>()), |(count, side, keep_best, seed)| {
        let params = DatasetParams::default().with_seed(seed).with_keep_best(keep_best).with_side(Some(side));
        let params = params.with_count(count);
        for index in [0, 1, count, u64::MAX] {
            let plan = params.plan(side, index);
            assert!(plan.mechanism < 3 && plan.material < 3);
            assert!(params.indices(index).end <= count);
        }
        params.check()
    });
    let sound = (0.1..1.0f64, 0.0..0.5f64, 0.5..1.0f64, "[a-z]{1,8}");
    both(&prop_oneof![(number(), number(), number(), ".{0,8}"), sound], |(weight, low, high, name)| {
        MechanismMix::new([MixEntry::new(name).with_weight(weight).with_severity((low, high))])
    });
    both(&prop_oneof!["[a-z=@.,0-9-]{0,24}", Just("cutpaste=2@0..1".to_owned())], |text| text.parse::<MechanismMix>());
    both(&prop_oneof![".{0,12}", Just("metal,wood".to_owned())], |text| text.parse::<Materials>());
    both(&prop_oneof![".{0,12}", Just("coco,yolo".to_owned())], |text| text.parse::<Formats>());
    both(&(count(), count(), count(), count()), |(part, of, offset, block)| {
        Shard::new(part, of).map(|shard| shard.with_offset(offset).has(block))
    });
    assert!(MechanismMix::new([]).is_err() && Materials::new([""; 0]).is_err() && Formats::new([]).is_err());
    assert!(Formats::new([Format::Coco, Format::Coco]).is_ok());
}

#[test]
fn a_data_set_that_is_read_back_is_checked_again() {
    let good = serde_json::to_value(DatasetParams::default()).unwrap();
    assert!(serde_json::from_value::<DatasetParams>(good.clone()).is_ok());
    let wrong = [("count", "0"), ("side", "1"), ("keep_best", "2"), ("mechanisms", "\"\""), ("formats", "\"x\"")];
    for (key, value) in wrong {
        let mut changed = good.clone();
        changed[key] = serde_json::from_str(value).unwrap();
        assert!(serde_json::from_value::<DatasetParams>(changed).is_err(), "{key} = {value}");
    }
}

#[test]
fn defects_on_a_map() {
    let pixel = prop_oneof![number().prop_map(|v| v as f32), -2.0..2.0f32];
    let map = (0..6usize, prop::collection::vec(pixel, 0..40));
    both(&(map, number(), side()), |((width, mut values), threshold, least)| {
        values.truncate(values.len() / width.max(1) * width);
        let rows = values.len().checked_div(width).unwrap_or(3);
        let map = Array2::from_shape_vec((rows, width), if width == 0 { Vec::new() } else { values }).unwrap();
        let scaled = scaled_margin(f64::from(map.iter().next().copied().unwrap_or(0.0)), threshold);
        assert!(scaled.is_nan() || (0.0..=1.0).contains(&scaled), "{scaled}");
        assert_eq!(InspectionParams::new(threshold).check().is_ok(), threshold.is_finite());
        find_defects(map.view(), threshold, least)
    });
}

#[test]
fn the_pipeline() {
    let photo = Array3::from_shape_fn((64, 64, 3), |(y, x, _)| 0.4 + ((y * 7 + x * 5) % 13) as f32 / 60.0);
    let domain = Domain::full(64, 64).unwrap();
    let pipeline = Pipeline::physical(&MATERIALS).unwrap();
    both(&(side(), any::<u64>(), count()), |(group, seed, index)| {
        pipeline.synthesize(photo.view(), &domain, group % 5, SampleKey { seed, index })
    });
    let key = SampleKey { seed: 0, index: 0 };
    let empty = Pipeline::default();
    let none = |e| matches!(e, Error::NoSuchGroup { group: 0, groups: 0 });
    assert!(none(empty.stages(photo.view(), &domain, 0, key).unwrap_err()));
    assert_eq!(Pipeline::physical(&[]).unwrap().groups(), 0);
    let mut pushed = Pipeline::default();
    pushed.push(Vec::new());
    assert_eq!((pushed.groups(), pushed.name(0)), (0, None));
    for photo in [Array3::zeros((0, 0, 0)), Array3::zeros((64, 64, 0)), Array3::from_elem((64, 64, 3), f32::NAN)] {
        for last in [Stage::Raw, Stage::Coarse, Stage::Fine] {
            let pipeline = Pipeline::physical(&MATERIALS).unwrap().up_to(last);
            assert!(pipeline.synthesize(photo.view(), &domain, 0, key).is_err());
        }
    }
    both(&(number(), number(), prop_oneof![Just("stamp"), Just(PHYSICAL[0])]), |(low, high, name)| {
        Pipeline::from_registry(&Registry::standard(), &[name], &[Material::METAL], (low, high))
    });
}

#[test]
fn the_warm_start() {
    let net = EfficientNetLite0::pretrained().unwrap();
    let (pipeline, empty) = (Pipeline::physical(&MATERIALS).unwrap(), Pipeline::default());
    let params = RankingParams::default();
    let source = PipelineSource::new(&pipeline, &[], &[], 0).unwrap();
    assert!(matches!(warm_start(&net, &[], &source, params, 0), Err(Error::Parameter(_))));
    let photos = [Array3::from_shape_fn((64, 64, 1), |(y, x, _)| ((y * 7 + x * 5) % 13) as f32 / 13.0)];
    let source = PipelineSource::new(&empty, &photos, &[], 0).unwrap();
    assert!(matches!(warm_start(&net, &photos, &source, params, 0), Err(Error::Parameter(_))));
    // a photo that the source does not know
    let source = PipelineSource::new(&pipeline, &[], &[], 0).unwrap();
    assert!(warm_start(&net, &photos, &source, params, 0).is_err());
    both(&prop_oneof![Just(0), Just(usize::MAX), 1..100usize], |n| params.with_defects(n).check());
    both(&prop_oneof![Just(0), Just(usize::MAX), 1..100usize], |n| {
        BilevelParams::default().with_ranked_defects(n).check()
    });
}

#[test]
fn photos_and_sheets() {
    both(&(0..4usize, side(), side(), side()), |(channels, height, width, to)| {
        let photo = Array3::<f32>::zeros((height % 80, width % 80, channels));
        let mask = Array2::from_elem((height % 80, width % 80), true);
        let side = (to % 80) as u32;
        let caption = ["\u{1F980}\u{0}\t", "a long one that is cut somewhere"];
        let cells = vec![Cell::photo(photo.view(), side).with_caption(caption), Cell::mask(mask.view(), side)];
        let mut sheet = Sheet::new(["\u{202e}label", ""]);
        sheet.push(cells).unwrap();
        let _ = sheet.save(Path::new("")); // is drawn, but cannot be written
        let shown = overlay_heatmap(photo.view(), &Array2::zeros((3, 3)), f32::NAN, 0.0);
        assert_eq!(shown.dim(), (height % 80, width % 80, 3));
        shrink_to_side(photo.view(), to).and(resize_square(photo.view(), if to == usize::MAX { to } else { to % 80 }))
    });
    let folder = tempfile::tempdir().unwrap();
    let sheet = folder.path().join("sheet.png");
    assert!(Sheet::new([""; 0]).save(&sheet).is_ok() && Sheet::new(["\u{1F980}"]).save(&sheet).is_ok());
    let nowhere = folder.path().join("nowhere");
    assert!(load_photo(&nowhere).is_err() && load_photos(&nowhere).is_err());
    assert!(load_photos(folder.path()).is_err());
    assert!(Sheet::new(["a"]).save(&nowhere.join("sheet.png")).is_err());
    assert!(Category::load(&Mvtec, folder.path(), None, 0, Policy::Strict).is_err());
    assert!(check_dataset(&Arrangement::Layout(&Mvtec), folder.path(), true, &|| ()).is_err());
    assert!(take_few_shot(&mut Vec::new(), 1, 64, 0).is_err());
}

#[test]
fn a_set_of_photos() {
    let folder = tempfile::tempdir().unwrap();
    assert!(PhotoSet::find(folder.path(), None, None).is_err());
    image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([((x * 7 + y * 5) % 13) as u8 * 15; 3]))
        .save(folder.path().join("a.png"))
        .unwrap();
    let set = PhotoSet::find(folder.path(), None, None).unwrap();
    assert_eq!((set.len(), set.name(0), set.name(1)), (1, Some("a.png"), None));
    both(&(0..3usize, side()), |(i, side)| set.load(i, Some(side % 200)));
    let (params, registry) = (DatasetParams::default(), Registry::standard());
    both(&count(), |index| preview(&params, &set, &registry, index));

    // samples that were changed by hand
    let made = (0..20).find_map(|index| preview(&params, &set, &registry, index).ok()).unwrap();
    let side = || prop_oneof![Just(0usize), Just(1), Just(3), Just(64), Just(600)];
    let channels = prop_oneof![Just(0usize), Just(1), Just(2), Just(3), Just(5)];
    both(&(side(), side(), channels, prop::bool::ANY, 0..4u8, number()), |(h, w, c, is_odd, marked, number)| {
        let mut sample = made.clone();
        sample.image = Array3::from_elem((h, w, c), 7);
        sample.photo = Array3::from_elem((h, w + usize::from(is_odd && marked == 1), c), 9);
        // nothing, all, a chessboard, the last pixel
        sample.mask = Array2::from_shape_fn((h + usize::from(is_odd && marked == 2), w), |(y, x)| match marked {
            0 => false,
            1 => true,
            2 => (y + x) % 2 == 0,
            _ => y + 1 == h && x + 1 == w,
        });
        (sample.record.visibility, sample.record.severity) = (number, number);
        sample.region_confidence = Some(number);
        PreviewSample::new(&sample).map(|shown| {
            let mut preview = Preview::new("\u{0}");
            preview.push(shown.with_photo("\u{202e}").with_index(u64::MAX));
            preview.write_page(&folder.path().join("page.html")).unwrap();
            preview.sheet().save(&folder.path().join("page.png")).unwrap();
        })
    });
    let empty = Preview::new("");
    empty.write_page(&folder.path().join("page.html")).unwrap();
    empty.sheet().save(&folder.path().join("page.png")).unwrap();
    assert!(empty.write_page(&folder.path().join("none/page.html")).is_err());
}
