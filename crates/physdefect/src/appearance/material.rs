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
    }
}

impl Material {
    /// Matte surfaces: paint, stone, unglazed ceramic, rubber.
    pub const MATTE: Self = Self { diffuse: 1.0, specular: 0.0, gloss: 3, cavity: 0.9, rim: 0.1, albedo: 0.4 };
    /// Metal, machined or ground.
    pub const METAL: Self = Self { diffuse: 0.35, specular: 0.9, gloss: 4, cavity: 0.95, rim: 0.6, albedo: 0.5 };
    /// Glossy plastic: molded or lacquered parts, glass.
    pub const GLOSSY_PLASTIC: Self =
        Self { diffuse: 0.8, specular: 0.5, gloss: 6, cavity: 0.8, rim: 0.4, albedo: 0.45 };
    /// Wood and other fibrous, translucent materials.
    pub const WOOD: Self = Self { diffuse: 0.95, specular: 0.08, gloss: 3, cavity: 0.8, rim: 0.15, albedo: 0.35 };
    /// Fabric: light is scattered between fibers, cavities stay shallow.
    pub const FABRIC: Self = Self { diffuse: 1.0, specular: 0.0, gloss: 3, cavity: 0.65, rim: 0.0, albedo: 0.35 };

    /// All named materials.
    pub const NAMED: [(&'static str, Self); 5] = [
        ("matte", Self::MATTE),
        ("metal", Self::METAL),
        ("glossy-plastic", Self::GLOSSY_PLASTIC),
        ("wood", Self::WOOD),
        ("fabric", Self::FABRIC),
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
        params::within(NAME, "albedo", self.albedo, (0.02, 1.0), "in [0.02, 1]")
    }
}
