//! Materials: how a surface reflects light, and named presets.

use crate::Error;
use crate::params::{self, parameters};
use crate::registry::nearest;

const NAME: &str = "material";

parameters! {
    /// Reflectance of the surface around a defect.
    ///
    /// The default is [`Material::MATTE`].
    #[derive(Copy)]
    pub struct Material {
        /// Diffuse share, in \[0, 1\].
        diffuse / with_diffuse: f64 = Self::MATTE.diffuse,
        /// Specular share (Blinn-Phong), in \[0, 2\].
        specular / with_specular: f64 = Self::MATTE.specular,
        /// log2 of the specular exponent, in \[0, 8\]: 3 is a broad sheen, 6 a sharp highlight.
        gloss / with_gloss: u8 = Self::MATTE.gloss,
        /// How far a cavity darkens, in \[0, 1\]: 1 lets only the visible share of the sky in; light that is scattered
        /// inside the material lowers it.
        cavity / with_cavity: f64 = Self::MATTE.cavity,
        /// Gain of the lit lip of a cavity, in \[0, 2\].
        rim / with_rim: f64 = Self::MATTE.rim,
        /// Typical diffuse reflectance in linear light, in \[0.02, 1\]: turns the surround's brightness into an
        /// illumination for tints.
        albedo / with_albedo: f64 = Self::MATTE.albedo,
        /// Strength of the clear coat's reflections, in \[0, 1\]: what a light source adds in it, over white.
        coat / with_coat: f64 = Self::MATTE.coat,
        /// Whether it is a metal that corrodes: only then corrosion products are drawn.
        corrodes / with_corrodes: bool = Self::MATTE.corrodes,
    }
}

impl Material {
    /// Matte surfaces: stone, unglazed clay, flat paint.
    pub const MATTE: Self =
        Self { diffuse: 1.0, specular: 0.0, gloss: 3, cavity: 0.9, rim: 0.1, albedo: 0.4, coat: 0.0, corrodes: false };
    /// Metal, machined or ground.
    pub const METAL: Self = Self {
        diffuse: 0.35,
        specular: 0.9,
        gloss: 4,
        cavity: 0.95,
        rim: 0.6,
        albedo: 0.5,
        coat: 0.105,
        corrodes: true,
    };
    /// Glossy plastic: molded or lacquered parts.
    pub const GLOSSY_PLASTIC: Self = Self {
        diffuse: 0.8,
        specular: 0.5,
        gloss: 6,
        cavity: 0.8,
        rim: 0.4,
        albedo: 0.45,
        coat: 0.21,
        corrodes: false,
    };
    /// Wood and other fibrous, translucent materials.
    pub const WOOD: Self = Self {
        diffuse: 0.95,
        specular: 0.08,
        gloss: 3,
        cavity: 0.8,
        rim: 0.15,
        albedo: 0.35,
        coat: 0.017,
        corrodes: false,
    };
    /// Fabric: light is scattered between fibers, cavities stay shallow.
    pub const FABRIC: Self = Self {
        diffuse: 1.0,
        specular: 0.0,
        gloss: 3,
        cavity: 0.65,
        rim: 0.0,
        albedo: 0.35,
        coat: 0.0,
        corrodes: false,
    };
    /// Glass: hardly any color of its own, sharp reflections, bright edges where it breaks.
    pub const GLASS: Self =
        Self { diffuse: 0.5, specular: 0.8, gloss: 7, cavity: 0.7, rim: 1.2, albedo: 0.3, coat: 0.35, corrodes: false };
    /// Glazed ceramic and porcelain.
    pub const CERAMIC: Self = Self {
        diffuse: 0.9,
        specular: 0.35,
        gloss: 6,
        cavity: 0.85,
        rim: 0.5,
        albedo: 0.7,
        coat: 0.245,
        corrodes: false,
    };
    /// Rubber: dark, with a weak broad sheen.
    pub const RUBBER: Self = Self {
        diffuse: 0.95,
        specular: 0.12,
        gloss: 3,
        cavity: 0.9,
        rim: 0.15,
        albedo: 0.08,
        coat: 0.035,
        corrodes: false,
    };
    /// Painted or powder-coated metal: loss shows the layer below.
    pub const PAINTED: Self = Self {
        diffuse: 0.9,
        specular: 0.3,
        gloss: 5,
        cavity: 0.85,
        rim: 0.3,
        albedo: 0.45,
        coat: 0.158,
        corrodes: false,
    };
    /// Cast metal, unmachined: rough and dull.
    pub const CAST: Self = Self {
        diffuse: 0.75,
        specular: 0.3,
        gloss: 3,
        cavity: 0.95,
        rim: 0.3,
        albedo: 0.35,
        coat: 0.035,
        corrodes: true,
    };
    /// Brushed or turned metal: a broad sheen.
    pub const BRUSHED: Self =
        Self { diffuse: 0.4, specular: 0.8, gloss: 3, cavity: 0.95, rim: 0.5, albedo: 0.5, coat: 0.07, corrodes: true };
    /// Circuit boards: solder mask over laminate.
    pub const CIRCUIT_BOARD: Self = Self {
        diffuse: 0.85,
        specular: 0.3,
        gloss: 5,
        cavity: 0.85,
        rim: 0.25,
        albedo: 0.25,
        coat: 0.14,
        corrodes: false,
    };
    /// Leather, finished.
    pub const LEATHER: Self = Self {
        diffuse: 0.95,
        specular: 0.15,
        gloss: 4,
        cavity: 0.85,
        rim: 0.2,
        albedo: 0.25,
        coat: 0.052,
        corrodes: false,
    };

    /// All named materials.
    pub const NAMED: [(&'static str, Self); 13] = [
        ("matte", Self::MATTE),
        ("metal", Self::METAL),
        ("glossy-plastic", Self::GLOSSY_PLASTIC),
        ("wood", Self::WOOD),
        ("fabric", Self::FABRIC),
        ("glass", Self::GLASS),
        ("ceramic", Self::CERAMIC),
        ("rubber", Self::RUBBER),
        ("painted", Self::PAINTED),
        ("cast", Self::CAST),
        ("brushed", Self::BRUSHED),
        ("circuit-board", Self::CIRCUIT_BOARD),
        ("leather", Self::LEATHER),
    ];

    /// Names of all named materials.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMED.into_iter().map(|(name, _)| name)
    }

    /// Looks a material up by its exact name.
    ///
    /// # Errors
    /// [`Error::UnknownMaterial`] with all names and the nearest one.
    pub fn by_name(name: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownMaterial {
            name: name.to_owned(),
            nearest: nearest(name, Self::names()),
            known: Self::names().collect(),
        };
        Self::NAMED.into_iter().find(|(n, _)| *n == name).map(|(_, material)| material).ok_or_else(unknown)
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first value out of range and its range.
    pub fn check(&self) -> Result<(), Error> {
        params::within(NAME, "diffuse", self.diffuse, (0.0, 1.0), "in [0, 1]")?;
        params::within(NAME, "specular", self.specular, (0.0, 2.0), "in [0, 2]")?;
        params::within(NAME, "gloss", f64::from(self.gloss), (0.0, 8.0), "in [0, 8]")?;
        params::within(NAME, "cavity", self.cavity, (0.0, 1.0), "in [0, 1]")?;
        params::within(NAME, "rim", self.rim, (0.0, 2.0), "in [0, 2]")?;
        params::within(NAME, "albedo", self.albedo, (0.02, 1.0), "in [0.02, 1]")?;
        params::within(NAME, "coat", self.coat, (0.0, 1.0), "in [0, 1]")
    }
}
