//! `maphc2f calibrate`: priors of real defects, for synthetic ones that follow them.

use maphc2f::factory::{
    MarkedPhoto, MarkedSet, MeasuredKind, PhotoSet, Plant, PlantKind, marked_foreground, measure_kind,
    mechanism_by_name,
};
use maphc2f::imgkit::Rect;
use maphc2f::imgkit::distance::to_foreground;
use maphc2f::imgkit::file::escaped;
use maphc2f::physdefect::appearance::Appearance;
use maphc2f::physdefect::calibration::{Calibration, Prior, Scale};
use maphc2f::physdefect::registry::Registry;
use maphc2f::physdefect::{Domain, MechanismKind, SampleKey};
use maphc2f::{
    Cell, MATERIALS, PhotoReader, Pipeline, PipelineSource, RealDefects, Sheet, load_normals_with, steer_mix,
};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use serde_json::{Value, json};

use crate::Result;
use crate::args::CalibrateArgs;
use crate::console::Console;

/// Side of a picture of the sheet, px, and rows of a kind.
const SHOWN: u32 = 160;
const ROWS: usize = 6;
/// Tries to draw a row of the sheet.
const TRIES: u64 = 8;
/// Distance that drawn defects keep from real ones, px.
const AWAY: f32 = 8.0;
/// Shorter side at which a mix is learned, px.
const MIX_SIDE: usize = 288;

pub fn run(args: &CalibrateArgs, console: &Console) -> Result<u8> {
    let wanted = wanted(&args.mechanism)?;
    let sets = MarkedSet::find(&args.defects, &PhotoReader::new(args.window))?;
    if let Some((kind, _)) = wanted.iter().find(|(kind, _)| !sets.iter().any(|set| set.kind == *kind)) {
        let known: Vec<&str> = sets.iter().map(|set| set.kind.as_str()).collect();
        return Err(format!("--mechanism {kind}=...: there is no such kind, only {}", known.join(", ")).into());
    }
    let normals = args.normals.as_deref().map(|root| PhotoSet::find(root, None, None)).transpose()?;
    let normals = normals.map(|set| set.with_window(args.window));
    let foreground = match &normals {
        Some(set) => set.foreground(None)?,
        None => None,
    };
    let foreground = foreground.map_or_else(|| marked_foreground(&sets), |set| (*set).clone());
    let (mut kinds, mut objects, mut none) = (Vec::new(), Vec::new(), 0);
    let total: usize = sets.iter().map(|set| set.photos.len()).sum();
    let mut sheet = Sheet::new(["real", "mask", "drawn", "mask"]);
    for set in &sets {
        let own = wanted.iter().find(|(kind, _)| *kind == set.kind).map(|(_, mechanism)| *mechanism);
        let measured = measure_kind(set, &foreground, own)?;
        describe(set, &measured, own.is_some(), console);
        objects.push(object(set, &measured));
        let Some(calibration) = &measured.calibration else {
            none += 1;
            continue;
        };
        if args.sheet.is_some() {
            rows(set, &measured, calibration, normals.as_ref(), &mut sheet, console)?;
        }
        kinds.push(PlantKind::new(&set.kind, set.photos.len() as f64 / total as f64, calibration.clone()));
    }
    if kinds.is_empty() {
        return Err(
            "no mechanism fits any kind: name one with --mechanism KIND=NAME to calibrate it all the same".into()
        );
    }
    let plant = Plant::new(kinds)?;
    plant.write(&args.out)?;
    if let Some(file) = &args.sheet {
        sheet.save(file)?;
        console.say(&format!("wrote {}", escaped(file)));
    }
    let mut object = json!({ "kinds": objects, "file": escaped(&args.out) });
    if args.mix {
        object["mix"] = mix(args, sets, console)?;
    }
    console.result(&format!("{} kinds in {}", plant.kinds().len(), escaped(&args.out)), &object);
    Ok(if none > 0 { 3 } else { 0 })
}

/// Drawn defects that weights are learned for.
const DRAWN: usize = 240;
/// Loss with equal weights below which nearly all patches of the marked defects are told.
const EASY: f64 = 0.05;

/// Learns and says how much each mechanism should count.
fn mix(args: &CalibrateArgs, sets: Vec<MarkedSet>, console: &Console) -> Result<Value> {
    let root = args.normals.as_deref().ok_or("--mix needs --normals: name a folder of good photos")?;
    let photos = PhotoSet::find(root, None, None)?.with_window(args.window);
    let normals = load_normals_with(photos.reader(), &photos.paths(), MIX_SIDE)?;
    let real = RealDefects::prepare(sets, &normals, MIX_SIDE)?;
    let pipeline = Pipeline::standard(&MATERIALS)?;
    let source = PipelineSource::new(&pipeline, &normals, &[], 0)?;
    let found = steer_mix(&normals, &source, &real.set, DRAWN, 0)?;
    let entry = |(name, weight): &(String, f64)| format!("{name}={:.2}", weight.max(0.01));
    let text: Vec<String> = found.mechanisms.iter().map(entry).collect();
    let text = text.join(",");
    console.say(&format!(
        "mix by which a head finds these {} defects: loss {:.3} with equal weights, {:.3} with these; {:.0} % of {} drawn \
         defects are effective\n  synth --mechanisms {text}",
        real.set.defects().len(),
        found.loss.0,
        found.loss.1,
        100.0 * found.effective_share,
        found.drawn
    ));
    if found.loss.0 < EASY {
        console.say(&"  note: a head finds them with equal weights already, so that the mix says little");
    }
    Ok(json!({
        "mechanisms": text, "drawn": found.drawn, "effective_share": found.effective_share,
        "loss": [found.loss.0, found.loss.1],
    }))
}

/// Reads `KIND=NAME`.
fn wanted(given: &[String]) -> Result<Vec<(String, MechanismKind)>> {
    let one = |text: &String| -> Result<(String, MechanismKind)> {
        let (kind, name) = text.split_once('=').ok_or_else(|| format!("--mechanism {text}: write KIND=NAME"))?;
        Ok((kind.to_owned(), mechanism_by_name(name)?))
    };
    given.iter().map(one).collect()
}

fn name(kind: MechanismKind) -> &'static str {
    Registry::standard().calibrated_entry(kind).map_or("none", |entry| entry.name())
}

/// Says how a kind was measured.
fn describe(set: &MarkedSet, measured: &MeasuredKind, forced: bool, console: &Console) {
    let found = &measured.identification;
    let best = found.set.best().map_or("no mechanism", name);
    let alike = found.photos.iter().filter(|photo| photo.best() == found.set.best()).count();
    console.say(&format!(
        "{}: {} photos; looks like {best} on {alike} of them (score {}, margin {:.2})",
        set.kind,
        set.photos.len(),
        found.set,
        found.set.margin()
    ));
    for (photo, ranking) in set.photos.iter().zip(&found.photos).filter(|(_, r)| r.best() != found.set.best()) {
        let own = ranking.best().map_or("no mechanism", name);
        console.say(&format!("  {}: looks like {own} ({ranking})", file_name(photo)));
    }
    if !set.unmarked.is_empty() {
        console.say(&format!("  {} photos have no mask and are left out", set.unmarked.len()));
    }
    if !set.tiny.is_empty() {
        let names: Vec<String> = set.tiny.iter().map(escaped).collect();
        console.say(&format!(
            "  warning: {} photos are left out, their defects have fewer than ten pixels: {}",
            names.len(),
            names.join(", ")
        ));
    }
    let Some(c) = &measured.calibration else {
        console.say(
            &"  left out: none of the mechanisms draws such defects; --mechanism KIND=NAME takes one all the same",
        );
        return;
    };
    if forced && found.set.best() != Some(c.mechanism) {
        console.say(&format!("  warning: measured as {}, as asked, though it looks otherwise", name(c.mechanism)));
    }
    let px = c.object_scale;
    let long = matches!(c.mechanism, MechanismKind::FractureLine | MechanismKind::Abrasion);
    console.say(&format!("  {} {}", if long { "length" } else { "diameter" }, lengths(&c.size, px)));
    if long {
        console.say(&format!("  width {}", lengths(&c.width, px)));
    }
    console.say(&format!("  visibility {} just noticeable contrasts", prior(&c.visibility)));
    let (low, high) = c.darker.interval;
    console.say(&format!(
        "  darker than the surround: {:.0} % ({:.0} to {:.0}); at the outline: {:.0} %; {:.1} defects a photo",
        100.0 * c.darker.value,
        100.0 * low,
        100.0 * high,
        100.0 * c.at_edge.value,
        c.count.mean
    ));
    for caution in c.cautions() {
        console.say(&format!("  warning: {caution}"));
    }
}

fn prior(prior: &Prior) -> String {
    let (low, high) = prior.interval;
    let spread = match prior.scale {
        Scale::Log => format!("times or over {:.2}", prior.deviation.exp()),
        Scale::Linear => format!("plus or minus {:.2}", prior.deviation),
    };
    format!("{:.2} ({low:.2} to {high:.2}), single ones {spread}", prior.median())
}

/// A prior of lengths, in px of the photos and in object scales.
fn lengths(prior: &Prior, px: f64) -> String {
    let (low, high) = prior.interval;
    format!(
        "{:.1} px ({:.1} to {:.1}), {:.3} of the object, single ones times or over {:.2}",
        prior.median() * px,
        low * px,
        high * px,
        prior.median(),
        prior.deviation.exp()
    )
}

fn object(set: &MarkedSet, measured: &MeasuredKind) -> Value {
    let c = measured.calibration.as_ref();
    json!({
        "name": set.kind,
        "photos": set.photos.len(),
        "unmarked": set.unmarked.len(),
        "tiny": set.tiny.len(),
        "looks_like": measured.identification.set.best().map(name),
        "margin": measured.identification.set.margin(),
        "mechanism": c.map(|c| name(c.mechanism)),
        "size_px": c.map(|c| c.size.median() * c.object_scale),
        "visibility": c.map(|c| c.visibility.median()),
        "warnings": c.map(|c| c.cautions().iter().map(ToString::to_string).collect::<Vec<_>>()),
    })
}

fn file_name(photo: &MarkedPhoto) -> String {
    photo.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Adds rows of real and drawn defects side by side.
fn rows(
    set: &MarkedSet,
    measured: &MeasuredKind,
    calibration: &Calibration,
    normals: Option<&PhotoSet>,
    sheet: &mut Sheet,
    console: &Console,
) -> Result<()> {
    let side = (2.5 * calibration.size.quantile(1.0) * calibration.object_scale).clamp(64.0, 512.0) as usize;
    let mut missing = 0;
    for (i, real) in set.photos.iter().take(ROWS).enumerate() {
        let (photo, domain) = match normals {
            Some(photos) => {
                let source = photos.load(i % photos.len(), None)?;
                (source.pixels.mapv(maphc2f::imgkit::level::from_u8), source.domain)
            }
            None => {
                // Beside its own defects.
                let away = to_foreground(real.mask.view());
                let mut free = measured.domains[i].mask().to_owned();
                free.zip_mut_with(&away, |f, &d| *f &= d > AWAY);
                (real.photo.clone(), Domain::from_mask(free)?)
            }
        };
        let Some((image, mask)) = draw(calibration, photo.view(), &domain, i as u64)? else {
            missing += 1;
            continue;
        };
        let cells = |photo: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>| {
            let (photo, mask) = cut(photo, mask, side);
            [Cell::photo(photo.view(), SHOWN), Cell::mask(mask.view(), SHOWN)]
        };
        let [a, b] = cells(real.photo.view(), real.mask.view());
        let [c, d] = cells(image.view(), mask.view());
        sheet.push(vec![a, b, c, d])?;
    }
    if missing > 0 {
        console.say(&format!("  {missing} rows of the sheet are missing: no place for the defect was found"));
    }
    Ok(())
}

/// Draws one defect; `None` where no try succeeds.
fn draw(
    calibration: &Calibration,
    photo: ArrayView3<'_, f32>,
    domain: &Domain,
    row: u64,
) -> Result<Option<(Array3<f32>, Array2<bool>)>> {
    let (h, w, _) = photo.dim();
    for index in (0..TRIES).map(|n| row * TRIES + n) {
        let material = MATERIALS[(index % MATERIALS.len() as u64) as usize];
        let synthesizer = calibration.synthesizer(Appearance::new(material))?;
        if let Ok(sample) = synthesizer.synthesize(photo, domain, SampleKey { seed: 0, index }) {
            return Ok(Some((sample.paste(photo)?, sample.full_mask(h, w)?)));
        }
    }
    Ok(None)
}

/// Square around the mask's middle, moved into the photo.
fn cut(photo: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>, side: usize) -> (Array3<f32>, Array2<bool>) {
    let (h, w) = mask.dim();
    let side = side.min(h).min(w);
    let middle = maphc2f::imgkit::bounding_box(mask)
        .map_or((h / 2, w / 2), |b| ((b.top + b.bottom) / 2, (b.left + b.right) / 2));
    let start = |at: usize, n: usize| at.saturating_sub(side / 2).min(n - side);
    let (top, left) = (start(middle.0, h), start(middle.1, w));
    let window = Rect { top, left, bottom: top + side, right: left + side };
    (window.crop(photo).to_owned(), window.crop(mask).to_owned())
}
