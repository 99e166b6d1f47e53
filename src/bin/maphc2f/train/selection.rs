//! What was chosen for a product, for people and for programs.

use maphc2f::bisqad::{CandidateFigures, SelectionReport, Suspect};
use serde_json::{Value, json};

/// The choice in some lines; `names` are those of the photos.
pub(super) fn summary(report: &SelectionReport, names: &[String]) -> String {
    let copies = match report.copies {
        0 => String::new(),
        n => format!(" with {n} copies by the symmetries of the product"),
    };
    let mut text = format!(
        "good photos: {} to train{copies}, {} of them validated the choice, each by what was fitted without it",
        report.normals, report.validated_on
    );
    let Some(choice) = &report.choice else {
        return text + "\nchoice: no synthetic defect could be drawn, so the default evidence stays";
    };
    text += &format!(
        "\nchoice: {}, heads x {}, at {} px{}; on synthetic defects image AUROC {:.3}, patch AUROC {:.3} ({} candidates in \
         selection.csv)",
        choice.sum,
        choice.head_weight,
        choice.side,
        match (choice.aligned, choice.relit) {
            (false, false) => "",
            (true, false) => ", photos aligned",
            (false, true) => ", photos also in other light",
            (true, true) => ", photos aligned, also in other light",
        },
        choice.image_auroc,
        choice.pixel_auroc,
        report.candidates.len()
    );
    for left in &report.left_out {
        text += &format!(
            "\n  {}: {:.3} without heads, {:.3} with the heads of the other mechanisms ({} defects)",
            left.name, left.without_heads, left.with_heads, left.defects
        );
    }
    if let Some(real) = &report.real_defects {
        text += &format!(
            "\n  {} real defects: {:.3} without heads, {:.3} with heads that were fitted without them",
            real.defects, real.without_heads, real.with_heads
        );
    }
    text += &format!(
        "\nalignment: the place in the frame explains {:.0} % of the variance of the features",
        100.0 * report.explained_by_place
    );
    let Some(first) = report.most_unusual.first() else { return text };
    let unusual: Vec<String> =
        report.most_unusual.iter().map(|s| format!("{} {:.2}", name(names, s.image), s.score)).collect();
    text + &format!(
        "\nmost unusual good photos, each scored by what was fitted without it (median {:.2}): {}",
        first.median,
        unusual.join(", ")
    )
}

fn name(names: &[String], image: usize) -> String {
    names.get(image).cloned().unwrap_or_else(|| format!("photo {image}"))
}

/// What a user should know or do.
pub(super) fn warnings(report: &SelectionReport, names: &[String]) -> Vec<String> {
    let mut warnings = Vec::new();
    let by_place = |c: &CandidateFigures| c.sum.kinds().iter().any(|kind| kind.is_by_place());
    if !report.is_aligned() && report.choice.as_ref().is_some_and(by_place) {
        warnings.push(
            "the product does not lie alike in all photos, but comparing places was best on synthetic defects: keep \
             the camera and the part's position as they are in these photos"
                .to_owned(),
        );
    }
    if report.copies > 0 && report.normals < 4 {
        warnings.push(
            "fewer than four good photos: copies of a photo judged the photo itself, so that the threshold is too low; \
             add photos, or calibrate the threshold on others"
                .to_owned(),
        );
    }
    for suspect in &report.suspects {
        warnings.push(format!(
            "{}: scores {:.2} by what was fitted without it, the median is {:.2} (weight {:.2}): if it shows a defect \
             or another product, take it out and train again",
            name(names, suspect.image),
            suspect.score,
            suspect.median,
            suspect.weight
        ));
    }
    warnings
}

/// The choice for programs.
pub(super) fn object(report: &SelectionReport) -> Value {
    let left_out: Vec<Value> = (report.left_out.iter())
        .map(|l| {
            json!({
                "mechanism": l.name, "defects": l.defects, "without_heads": l.without_heads, "with_heads": l.with_heads,
            })
        })
        .collect();
    let objects = |list: &[Suspect]| -> Vec<Value> {
        let one = |s: &Suspect| json!({ "image": s.image, "score": s.score, "median": s.median, "weight": s.weight });
        list.iter().map(one).collect()
    };
    let chosen = report.choice.as_ref().map(|c| {
        json!({
            "kinds": c.sum.kinds().iter().map(|kind| kind.name()).collect::<Vec<_>>(),
            "levels": c.sum.levels(), "side": c.side, "aligned": c.aligned, "relit": c.relit, "head_weight": c.head_weight,
            "smoothing": c.smoothing, "share": c.share, "image_auroc": c.image_auroc, "pixel_auroc": c.pixel_auroc,
        })
    });
    json!({
        "chosen": chosen, "candidates": report.candidates.len(), "validated_on": report.validated_on,
        "copies": report.copies, "explained_by_place": report.explained_by_place, "aligned": report.is_aligned(),
        "left_out": left_out, "suspects": objects(&report.suspects),
        "most_unusual": objects(&report.most_unusual),
        "real_defects": report.real_defects.as_ref().map(|r| {
            json!({ "defects": r.defects, "without_heads": r.without_heads, "with_heads": r.with_heads })
        }),
    })
}

/// Every candidate as CSV.
pub(super) fn table(report: &SelectionReport) -> String {
    let mut text = String::from(
        "side_px,aligned,relit,kinds,levels,head_weight,smoothing_patches,share,image_auroc,patch_auroc,standard_error,\
         chosen\n",
    );
    for c in &report.candidates {
        let kinds: Vec<&str> = c.sum.kinds().iter().map(|kind| kind.name()).collect();
        let levels: Vec<String> = c.sum.levels().iter().map(usize::to_string).collect();
        text += &format!(
            "{},{},{},{},{},{},{},{},{:.5},{:.5},{:.5},{}\n",
            c.side,
            c.aligned,
            c.relit,
            kinds.join(" "),
            levels.join(" "),
            c.head_weight,
            c.smoothing,
            c.share,
            c.image_auroc,
            c.pixel_auroc,
            c.standard_error,
            c.chosen
        );
    }
    text
}
