//! The image sets of the report.

/// A set and its folder below the data folder.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) folder: &'static str,
}

const fn place(name: &'static str, folder: &'static str) -> Place {
    Place { name, folder }
}

/// Sets in the order of the table.
pub(crate) const SETS: [Place; 7] = [
    place("bottle", "mvtec/bottle"),
    place("pill", "mvtec/pill"),
    place("magnetic_tile", "magnetic_tile/tile"),
    place("kolektor", "kolektor_sdd/commutator"),
    place("hazelnut_toy", "hazelnut_toy/hazelnut"),
    place("ball_screw", "bsdata/ball_screw"),
    place("tire", "mvtec3d/tire"),
];
