//! A mechanism from outside the workspace: one entry in a registry, and the factory makes, proves and replays a data
//! set of it.
#![allow(clippy::unwrap_used)] // a test may panic

mod factory_common;

use factory_common::photos;
use maphc2f::Error;
use maphc2f::factory::{
    self, DatasetParams, Job, Materials, MechanismMix, MixEntry, PhotoSet, preview, replay, synthesize, verify,
};
use maphc2f::imgkit::Rect;
use maphc2f::physdefect::appearance::Rendered;
use maphc2f::physdefect::registry::{Entry, Registry};
use maphc2f::physdefect::replay::FromParams;
use maphc2f::physdefect::{self, Defect, Domain, Measures, Mechanism, MechanismKind};
use ndarray::Array2;
use rand::{Rng, RngCore};

/// A square dent of one depth; severity is its side.
#[derive(Debug, Clone, Default)]
struct Stamp(StampParams);

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct StampParams {
    depth: f64,
}

impl Default for StampParams {
    fn default() -> Self {
        Self { depth: 4.0 }
    }
}

impl Mechanism for Stamp {
    fn name(&self) -> &'static str {
        Self::NAME
    }
    fn kind(&self) -> MechanismKind {
        MechanismKind::PlasticWarpage
    }
    fn size_measure(&self) -> &'static str {
        "side_px"
    }
    fn generate(&self, domain: &Domain, severity: f64, rng: &mut dyn RngCore) -> Result<Defect, physdefect::Error> {
        let side = 6 + (12.0 * severity) as usize;
        let (h, w) = domain.dim();
        let (y0, x0) = (rng.random_range(0..=h - side), rng.random_range(0..=w - side));
        let depth = self.0.depth as f32;
        let inside = |y: usize, x: usize| (1..side - 1).contains(&y) && (1..side - 1).contains(&x);
        let bbox = Rect { top: y0, left: x0, bottom: y0 + side, right: x0 + side };
        let height = Array2::from_shape_fn((side, side), |(y, x)| if inside(y, x) { -depth } else { 0.0 });
        let measures = Measures::from([("side_px".to_owned(), side as f64)]);
        Ok(Defect::new(bbox, height, Array2::ones((side, side)), measures))
    }
}

impl FromParams for Stamp {
    const NAME: &'static str = "stamp";
    type Params = StampParams;
    fn from_params(params: StampParams) -> Result<Self, physdefect::Error> {
        Ok(Self(params))
    }
}

#[test]
fn one_entry_in_the_registry_is_all_that_a_new_mechanism_needs() {
    let entry = Entry::mechanism::<Stamp>("a square dent").replayable::<Rendered<Stamp>>();
    let registry = Registry::standard().with(entry).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let set = PhotoSet::find(&photos(folder.path(), 2), None, None).unwrap();
    let help = registry.to_string();
    let last = help.lines().last().unwrap();
    assert!(last.starts_with("stamp ") && last.ends_with(" a square dent"), "the help's table: {help}");
    let mix = MechanismMix::new([MixEntry::new("stamp").with_severity((0.5, 1.0)), MixEntry::new("cutpaste")]).unwrap();
    assert_eq!(MechanismMix::try_from("stamp@0.5..1,cutpaste".to_owned()).unwrap(), mix);
    // the command line has the standard registry
    let unknown = "stamp@0.5..1".parse::<MechanismMix>().unwrap_err();
    let unknown =
        matches!(unknown, factory::Error::Pipeline(Error::Defect(physdefect::Error::UnknownMechanism { .. })));
    assert!(unknown, "a name that no entry has is an error of its own");
    assert!(matches!(Materials::new(["gold"]), Err(factory::Error::Parameter(e)) if e.name == "materials"));
    let params = DatasetParams::default().with_count(20).with_seed(4).with_mechanisms(mix);
    let params = params.with_materials(Materials::new(["metal"]).unwrap());

    // the standard registry refuses the name before anything is written
    let out = folder.path().join("out");
    let refused = synthesize(&Job::new(&params, &set, &out), &|_| ()).unwrap_err();
    assert!(refused.to_string().contains("stamp"), "{refused}");
    assert!(matches!(refused, factory::Error::Pipeline(Error::Defect(physdefect::Error::UnknownMechanism { .. }))));
    assert!(!out.exists(), "nothing may be written");

    let job = Job::new(&params, &set, &out).with_registry(registry.clone());
    let made = synthesize(&job, &|_| ()).unwrap();
    assert_eq!((made.images, made.failed), (20, 0));
    assert!(verify(&out, &|_| ()).unwrap().is_whole());
    let kept = synthesize(&job.clone().with_resume(true), &|_| ()).unwrap();
    assert_eq!((kept.images, kept.kept), (0, 20));
    let mut stamps = 0;
    for index in 0..20 {
        let again = replay(&out, &set, &registry, index).unwrap();
        assert!(again.differing.is_empty(), "sample {index} differs in {:?}", again.differing);
        assert_eq!(again.entry.model.name(), again.entry.mechanism);
        let shown = preview(&params, &set, &registry, index).unwrap();
        assert_eq!(shown.record.key, again.entry.key);
        if again.entry.mechanism == "stamp" {
            assert!(again.entry.measures["side_px"] >= 12.0);
            stamps += 1;
        }
    }
    assert!((4..=16).contains(&stamps), "{stamps} of 20");
    assert!(out.join("mvtec/test/stamp").is_dir());
}
