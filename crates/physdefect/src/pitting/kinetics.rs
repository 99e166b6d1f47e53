//! Kinetics of pits: growth law, dissolved mass and cross-section.

/// Faraday's constant, C/mol (exact in the SI of 2019).
pub const FARADAY: f64 = 96_485.332_12;

/// Seconds of a Julian year.
const SECONDS_PER_YEAR: f64 = 365.25 * 86_400.0;

/// Diffusion-controlled pit growth, depth d(t) = k t^n.
///
/// n = 1/2 for a salt film or planar diffusion, 1/3 for a hemispherical pit whose dissolved volume grows linearly in
/// time; measured exponents lie between (ASTM G46; Szklarska-Smialowska, "Pitting and Crevice Corrosion", NACE 2005).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PowerLaw {
    /// k, depth after one year (px).
    pub rate: f64,
    /// n, in \[1/3, 1/2\].
    pub exponent: f64,
}

impl PowerLaw {
    /// Depth (px) of a pit of `age` years; zero before its birth.
    ///
    /// ```
    /// let law = physdefect::pitting::PowerLaw { rate: 3.0, exponent: 0.5 };
    /// assert_eq!(law.depth(4.0), 6.0);
    /// ```
    #[must_use]
    pub fn depth(&self, age: f64) -> f64 {
        if age > 0.0 { self.rate * age.powf(self.exponent) } else { 0.0 }
    }
}

/// Metal that dissolves, with the constants of Faraday's law.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Metal {
    /// Molar mass, g/mol.
    pub molar_mass: f64,
    /// Electrons given per atom.
    pub valence: f64,
    /// Density, g/cm^3.
    pub density: f64,
}

impl Metal {
    /// Fe -> Fe2+.
    pub const IRON: Self = Self { molar_mass: 55.845, valence: 2.0, density: 7.874 };
    /// Al -> Al3+.
    pub const ALUMINUM: Self = Self { molar_mass: 26.982, valence: 3.0, density: 2.699 };
    /// Cu -> Cu2+.
    pub const COPPER: Self = Self { molar_mass: 63.546, valence: 2.0, density: 8.96 };

    /// Faraday's law m = I t M / (n F): grams dissolved by a charge in coulombs.
    #[must_use]
    pub fn mass_g(&self, charge_c: f64) -> f64 {
        charge_c * self.molar_mass / (self.valence * FARADAY)
    }

    /// Charge in coulombs that dissolves `mass_g` grams.
    #[must_use]
    pub fn charge_c(&self, mass_g: f64) -> f64 {
        mass_g * self.valence * FARADAY / self.molar_mass
    }

    /// Penetration in mm per year at a uniform current density in mA/cm^2.
    ///
    /// ```
    /// use physdefect::pitting::Metal;
    /// assert!((Metal::IRON.penetration_mm_per_year(1.0) - 11.6).abs() < 0.05);
    /// ```
    #[must_use]
    pub fn penetration_mm_per_year(&self, current_density_ma_per_cm2: f64) -> f64 {
        let cm = self.mass_g(current_density_ma_per_cm2 * 1e-3 * SECONDS_PER_YEAR) / self.density;
        10.0 * cm
    }
}

/// Cross-sections of pits after the rating chart of ASTM G46 (aspect ratios are typical values read from its drawings),
/// and the bare growth law.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum PitShape {
    /// The growth law itself applied to the local arrival time: depth k (t - T)^n; half as deep as a hemisphere at the
    /// end.
    Front,
    /// Half a sphere: depth over width 1/2.
    Hemispherical,
    /// Steep cone: depth over width 3/2.
    NarrowDeep,
    /// Half an ellipse, deeper than wide: depth over width 1.
    Elliptical,
    /// Flat-bottomed: depth over width 0.15.
    WideShallow,
    /// Overhanging rim: from above a wall that drops at once to 60 % of the depth, then a bowl; depth over width 0.6.
    Undercut,
}

impl PitShape {
    /// Depth over full width of a pit born at the start, at the longest exposure.
    #[must_use]
    pub fn aspect(self) -> f64 {
        match self {
            Self::Front => 0.25,
            Self::Hemispherical => 0.5,
            Self::NarrowDeep => 1.5,
            Self::Elliptical => 1.0,
            Self::WideShallow => 0.15,
            Self::Undercut => 0.6,
        }
    }

    /// Relative depth at relative age `u` = (t - T)/(t - t0) in (0, 1]: 0 at the outline, 1 at the nucleus. Never falls
    /// with `u`, so a pit only ever deepens.
    #[must_use]
    pub fn profile(self, u: f64, exponent: f64) -> f64 {
        let u = u.clamp(0.0, 1.0);
        match self {
            Self::Front if exponent == 0.5 => u.sqrt(),
            Self::Front => u.powf(exponent),
            Self::Hemispherical | Self::Elliptical => (u * (2.0 - u)).sqrt(),
            Self::NarrowDeep => u,
            Self::WideShallow => 1.0 - (1.0 - u).powi(4),
            Self::Undercut if u > 0.0 => 0.6 + 0.4 * (u * (2.0 - u)).sqrt(),
            Self::Undercut => 0.0,
        }
    }

    /// Volume hidden under the overhang, relative to the visible volume.
    ///
    /// A spherical cavity of which the chart shows the mouth at about 0.8 of its width: the part outside the mouth's
    /// cylinder is (1 - 0.8^2)^(3/2) of the cavity.
    #[must_use]
    pub fn hidden_volume_ratio(self) -> f64 {
        match self {
            Self::Undercut => {
                let hidden = (1.0f64 - 0.64).powf(1.5);
                hidden / (1.0 - hidden)
            }
            _ => 0.0,
        }
    }
}
