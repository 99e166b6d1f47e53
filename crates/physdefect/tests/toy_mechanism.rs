//! A mechanism from outside the crate: registered in one line, then found by name, sampled, and replayed from its
//! record.
// A failed set-up is a failed test.
#![allow(clippy::unwrap_used)]

use ndarray::{Array2, Array3};
use physdefect::appearance::{Appearance, Material, Rendered};
use physdefect::imgkit::Rect;
use physdefect::registry::{Entry, Registry};
use physdefect::replay::{FromParams, Recipe, Region};
use physdefect::{Defect, Domain, Error, Measures, Mechanism, MechanismKind, SampleKey};
use rand::RngCore;

/// A square hole; severity is its side.
#[derive(Debug, Clone, Default)]
struct Punch {
    params: PunchParams,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PunchParams {
    depth: f64,
}

impl Default for PunchParams {
    fn default() -> Self {
        Self { depth: 4.0 }
    }
}

impl Mechanism for Punch {
    fn name(&self) -> &'static str {
        Self::NAME
    }
    fn kind(&self) -> MechanismKind {
        MechanismKind::PittingLoss
    }
    fn size_measure(&self) -> &'static str {
        "side_px"
    }
    fn generate(&self, domain: &Domain, severity: f64, rng: &mut dyn RngCore) -> Result<Defect, Error> {
        let side = 4 + (12.0 * severity) as usize;
        let ((h, w), at) = (domain.dim(), rng.next_u32() as usize);
        if h < side || w < side {
            return Err(Error::DomainTooSmall { model: Self::NAME, found: domain.area(), needed: side * side });
        }
        let (y0, x0) = (at % (h - side + 1), (at >> 8) % (w - side + 1));
        let bbox = Rect { top: y0, left: x0, bottom: y0 + side, right: x0 + side };
        let height = Array2::from_shape_fn((side, side), |(y, x)| {
            let inside = (1..side - 1).contains(&y) && (1..side - 1).contains(&x);
            if inside { -(self.params.depth as f32) } else { 0.0 }
        });
        let measures = Measures::from([("side_px".to_owned(), side as f64)]);
        Ok(Defect::new(bbox, height, Array2::ones((side, side)), measures))
    }
}

impl FromParams for Punch {
    const NAME: &'static str = "punch";
    type Params = PunchParams;
    fn from_params(params: PunchParams) -> Result<Self, Error> {
        Ok(Self { params })
    }
}

fn registry() -> Registry {
    let punch = Entry::mechanism::<Punch>("a square hole").replayable::<Rendered<Punch>>();
    Registry::standard().with(punch).unwrap()
}

#[test]
fn a_registered_mechanism_is_found_by_name_and_makes_samples() {
    let (registry, photo) = (registry(), Array3::from_elem((64, 72, 3), 0.6f32));
    let entry = registry.by_name("punch").unwrap();
    assert_eq!(
        (entry.description(), entry.abbreviation(), entry.size_measure()),
        ("a square hole", "PL", Some("side_px"))
    );
    let synthesizer = entry.synthesizer(Appearance::new(Material::METAL), (0.5, 1.0)).unwrap();
    let domain = Domain::full(64, 72).unwrap();
    let sample = synthesizer.synthesize(photo.view(), &domain, SampleKey { seed: 3, index: 1 }).unwrap();
    assert_eq!(sample.record.model, "punch");
    assert!(sample.record.measures["side_px"] >= 10.0);
}

#[test]
fn its_record_makes_the_sample_again() {
    let (registry, photo) = (registry(), Array3::from_elem((64, 72, 3), 0.6f32));
    let model = registry.by_name("punch").unwrap().config().unwrap().with_severity(0.25, 0.75);
    let recipe = Recipe { model, key: SampleKey { seed: 8, index: 2 }, region: Region::WholeFrame };
    let text = recipe.to_json().unwrap();
    assert!(
        text.starts_with(r#"{"model":{"model":"punch","params":{"depth":4.0},"appearance":{"material":"#),
        "{text}"
    );
    let again = Recipe::from_json_in(&text, &registry).unwrap();
    assert_eq!(again, recipe);
    let (a, b) = (recipe.make(photo.view()).unwrap(), again.make(photo.view()).unwrap());
    assert_eq!((a.patch, a.mask, a.record), (b.patch, b.mask, b.record));
    // A reader with the standard list refuses it by name.
    let refused = Recipe::from_json(&text).unwrap_err();
    assert!(matches!(&refused, Error::UnknownMechanism { name, .. } if name == "punch"), "{refused}");
}

#[test]
fn a_name_is_given_once_and_no_other_is_guessed() {
    let twice = registry().with(Entry::mechanism::<Punch>("another"));
    assert!(matches!(twice, Err(Error::DuplicateMechanism { name: "punch" })));
    let wrong = registry().by_name("Punch").unwrap_err();
    assert!(matches!(wrong, Error::UnknownMechanism { nearest: Some("punch"), .. }), "{wrong}");
    let mute = Registry::standard().with(Entry::mechanism::<Punch>("no JSON")).unwrap();
    assert!(matches!(mute.by_name("punch").unwrap().config(), Err(Error::NotReplayable { name: "punch" })));
    assert!(matches!(Material::by_name("gold"), Err(Error::UnknownMaterial { .. })));
}
