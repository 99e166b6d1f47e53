//! Corrosion products: what colors the rim and the surround of a pit.

use crate::pitting::Metal;

/// Family of corrosion products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Product {
    /// Bare metal: no deposit.
    None,
    /// Hematite, goethite and lepidocrocite on iron and steel: red-brown.
    IronOxides,
    /// Hydrated alumina on aluminum: white bloom.
    #[cfg_attr(feature = "serde", serde(rename = "Aluminum"))]
    Aluminum,
    /// Basic copper carbonates and chlorides: green-blue patina.
    Copper,
}

impl Product {
    /// Linear-light reflectance of red, green and blue: an appearance preset, chosen by eye after the minerals' usual
    /// color, not a measurement.
    #[must_use]
    pub fn reflectance(self) -> Option<[f32; 3]> {
        match self {
            Self::None => None,
            Self::IronOxides => Some([0.24, 0.085, 0.03]),
            Self::Aluminum => Some([0.74, 0.74, 0.70]),
            Self::Copper => Some([0.14, 0.36, 0.27]),
        }
    }

    /// Metal that the product comes from, for Faraday's law; iron where there is no product.
    #[must_use]
    pub fn metal(self) -> Metal {
        match self {
            Self::None | Self::IronOxides => Metal::IRON,
            Self::Aluminum => Metal::ALUMINUM,
            Self::Copper => Metal::COPPER,
        }
    }
}
