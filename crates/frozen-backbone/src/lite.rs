//! EfficientNet-Lite: description of its blocks and their execution, for the embedded and for downloaded weights.

use std::cell::Cell;

use ndarray::ArrayView3;

use crate::backbone::{Backbone, Level, Pyramid, by_channel, check, id, normalized};
use crate::bottleneck::{Bottleneck, Image};
use crate::error::Error;
use crate::feature_map::parts;
use crate::geometry::Window;
use crate::kernels::{Packed, Taps};
use crate::weights::Weights;

/// Size of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiteVariant {
    /// 16 blocks.
    Lite0,
    /// 21 blocks of the same widths.
    Lite1,
    /// 21 blocks, up to a tenth wider.
    Lite2,
}

impl LiteVariant {
    fn name(self) -> &'static str {
        match self {
            Self::Lite0 => "EfficientNet-Lite0",
            Self::Lite1 => "EfficientNet-Lite1",
            Self::Lite2 => "EfficientNet-Lite2",
        }
    }

    /// All blocks of the network in order.
    pub(crate) fn blocks(self) -> Vec<Block> {
        let repeats = if self == Self::Lite0 { [1, 2, 2, 3, 3, 4, 1] } else { [1, 3, 3, 4, 4, 5, 1] };
        let channels =
            if self == Self::Lite2 { [16, 24, 48, 88, 120, 208, 352] } else { [16, 24, 40, 80, 112, 192, 320] };
        let (mut blocks, mut inputs, mut reached) = (Vec::new(), STEM.2, STEM.1);
        for (stage, (kernel, first_stride)) in STAGES.into_iter().enumerate() {
            for index in 0..repeats[stage] {
                let stride = if index == 0 { first_stride } else { 1 };
                let (expansion, outputs) = (if stage == 0 { 1 } else { 6 }, channels[stage]);
                reached *= stride;
                let last = index + 1 == repeats[stage];
                blocks.push(Block { stage, index, kernel, stride, expansion, inputs, outputs, reached, last });
                inputs = outputs;
            }
        }
        blocks
    }
}

/// Kernel and stride of the stages.
const STAGES: [(usize, usize); 7] = [(3, 1), (3, 2), (5, 2), (3, 2), (5, 1), (5, 2), (3, 1)];
/// Kernel, stride and outputs of the stem.
const STEM: (usize, usize, usize) = (3, 2, 32);
/// Fewest rows that a task gets: neighbors compute the rows between them twice.
const MIN_ROWS: usize = 8;

/// Description of an inverted bottleneck.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) stage: usize,
    /// Position in the stage.
    pub(crate) index: usize,
    kernel: usize,
    stride: usize,
    expansion: usize,
    inputs: usize,
    outputs: usize,
    /// Image pixels per output pixel.
    pub(crate) reached: usize,
    /// Of its stage.
    last: bool,
}

/// Convolutions of a block; files name them differently.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    /// First convolution of the network, in front of the block without expansion.
    Stem,
    Expand,
    Depthwise,
    Project,
}

/// Blocks of the network and the taps among them: ends of stages (linear bottlenecks), except the first stage.
#[derive(Debug, Clone)]
pub(crate) struct Lite {
    blocks: Vec<(Bottleneck, bool)>,
    pub(crate) levels: Vec<Level>,
}

/// Buffers between layers, reused from image to image.
#[derive(Default)]
struct Maps {
    image: Vec<f32>,
    before: Vec<f32>,
    after: Vec<f32>,
}

thread_local! {
    static MAPS: Cell<Maps> = Cell::default();
}

impl Lite {
    /// Creates the network up to the last tap: the end of a stage that `is_tap` takes. `load` gives weight and bias,
    /// batch norm folded, of a convolution of the given shape in the `number`-th block.
    pub(crate) fn new(
        variant: LiteVariant,
        is_tap: impl Fn(&Block) -> bool,
        load: impl Fn(usize, Block, Role, [usize; 4]) -> Result<(Vec<f32>, Vec<f32>), Error>,
    ) -> Result<Self, Error> {
        let tapped = |b: &Block| b.last && b.stage > 0 && is_tap(b);
        let blocks = variant.blocks();
        let levels = blocks.iter().filter(|b| tapped(b)).map(|b| Level { channels: b.outputs, stride: b.reached });
        let used = blocks.iter().rposition(tapped).map_or(0, |last| last + 1);
        let block = |(number, b): (usize, &Block)| {
            let inner = b.inputs * b.expansion;
            let dense = |role, outputs, inputs, kernel| {
                let (weight, bias) = load(number, *b, role, [outputs, inputs, kernel, kernel])?;
                Ok::<_, Error>(Packed::new(&weight, &bias, inputs, kernel))
            };
            let (first, window) = match b.expansion {
                1 => (dense(Role::Stem, inner, 3, STEM.0)?, (STEM.0, STEM.1)),
                _ => (dense(Role::Expand, inner, b.inputs, 1)?, (1, 1)),
            };
            let (weight, bias) = load(number, *b, Role::Depthwise, [inner, 1, b.kernel, b.kernel])?;
            let block = Bottleneck {
                first,
                window,
                depthwise: Taps::new(&weight, &bias, b.kernel, b.stride),
                project: dense(Role::Project, b.outputs, inner, 1)?,
                skip: b.stride == 1 && b.inputs == b.outputs,
            };
            Ok((block, tapped(b)))
        };
        Ok(Self {
            levels: levels.collect(),
            blocks: blocks[..used].iter().enumerate().map(block).collect::<Result<_, Error>>()?,
        })
    }

    /// Computes the taps, channels innermost, of the image with the normalized pixels `pixel(row, column)`, on `parts`
    /// tasks.
    pub(crate) fn taps(
        &self,
        (height, width): (usize, usize),
        parts: usize,
        pixel: impl Fn(usize, usize) -> [f32; 3],
    ) -> Vec<Vec<f32>> {
        let Maps { mut image, mut before, mut after } = MAPS.take();
        let window = Window::same(height, width, STEM.0, STEM.1);
        let (row, left) = (window.padded_width() * 3, window.pad_left());
        image.clear();
        image.resize(window.padded_height() * row, 0.0);
        for y in 0..height {
            let line = &mut image[(y + window.pad_top()) * row + left * 3..][..width * 3];
            line.as_chunks_mut().0.iter_mut().enumerate().for_each(|(x, p)| *p = pixel(y, x));
        }
        let mut taps: Vec<Vec<f32>> = Vec::with_capacity(self.levels.len());
        // rows and columns of the last block's output, its channels, and whether it is the newest tap
        let mut last = ((height, width), 0, false);
        for (i, (block, tapped)) in self.blocks.iter().enumerate() {
            let (size, channels, from_tap) = last;
            let (rows, columns, outputs) = block.output(size);
            let mut output = if *tapped { Vec::new() } else { std::mem::take(&mut after) };
            output.resize(rows * columns * outputs, 0.0);
            let input = if i == 0 {
                Image { values: &image, size, channels: 3, row }
            } else {
                let values = if from_tap { taps.last().unwrap_or(&before) } else { &before };
                Image { values, size, channels, row: size.1 * channels }
            };
            block.run(input, &mut output, parts.min(rows.div_ceil(MIN_ROWS)));
            last = ((rows, columns), outputs, *tapped);
            if *tapped {
                taps.push(output);
            } else {
                after = std::mem::replace(&mut before, output);
            }
        }
        MAPS.set(Maps { image, before, after });
        taps
    }

    /// Extracts the features of a checked image, normalized to `v * scale + shift`.
    pub(crate) fn pyramid(&self, image: ArrayView3<'_, f32>, scale: f32, shift: f32) -> Result<Pyramid, Error> {
        let (height, width, _) = image.dim();
        let taps = self.taps((height, width), parts(), normalized(image, [scale; 3], [shift; 3]));
        taps.into_iter().zip(&self.levels).map(|(values, level)| by_channel(values, level.dim(height, width))).collect()
    }
}

/// EfficientNet-Lite0, 1 or 2 from the public weights `tf_efficientnet_lite0`, `1` or `2` of timm, up to stride 32;
/// batch norm folded, frozen.
///
/// The taps are the linear bottlenecks that end a stage, by stride: one at 4 and at 8, two at 16 and at 32. Inputs are
/// normalized to `2 v - 1`. Padding is TensorFlow's: only weight files with the `tf_` prefix are compatible.
///
/// ```no_run
/// use frozen_backbone::{EfficientNetLite, LiteVariant, Weights};
///
/// let weights = Weights::open("tf_efficientnet_lite1.safetensors")?;
/// let net = EfficientNetLite::new(LiteVariant::Lite1, &weights, &EfficientNetLite::STRIDES)?;
/// # Ok::<(), frozen_backbone::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct EfficientNetLite {
    net: Lite,
    id: String,
    hash: u64,
}

impl EfficientNetLite {
    /// Default strides, those of the embedded [`crate::EfficientNetLite0`]: four taps.
    pub const STRIDES: [usize; 3] = [4, 8, 16];

    /// Creates the network up to the last of `strides`, the taps: some of 4, 8, 16 and 32, each once, in rising order.
    ///
    /// # Errors
    /// [`Error::Parameter`] for other strides; [`Error::Weights`] with the tensor that is missing or does not fit.
    pub fn new(variant: LiteVariant, weights: &Weights, strides: &[usize]) -> Result<Self, Error> {
        const EPSILON: f32 = 1e-3;
        let name = variant.name();
        let id = id(name, "strides", strides, &[4, 8, 16, 32])?;
        let is_tap = |block: &Block| strides.contains(&block.reached);
        let net = Lite::new(variant, is_tap, |_, Block { stage, index, .. }, role, shape| {
            // the first stage has no expansion, so that its layers count from the depthwise one
            let (convolution, norm) = match (role, stage) {
                (Role::Stem, _) => return weights.folded(name, ("conv_stem", "bn1"), shape, EPSILON),
                (Role::Depthwise, 0) => ("conv_dw", "bn1"),
                (Role::Project, 0) => ("conv_pw", "bn2"),
                (Role::Expand, _) => ("conv_pw", "bn1"),
                (Role::Depthwise, _) => ("conv_dw", "bn2"),
                (Role::Project, _) => ("conv_pwl", "bn3"),
            };
            let at = |layer: &str| format!("blocks.{stage}.{index}.{layer}");
            weights.folded(name, (&at(convolution), &at(norm)), shape, EPSILON)
        })?;
        Ok(Self { net, id, hash: weights.hash() })
    }
}

impl Backbone for EfficientNetLite {
    fn id(&self) -> &str {
        &self.id
    }

    fn hash(&self) -> u64 {
        self.hash
    }

    fn levels(&self) -> &[Level] {
        &self.net.levels
    }

    fn min_side(&self) -> usize {
        32
    }

    fn extract(&self, image: ArrayView3<'_, f32>) -> Result<Pyramid, Error> {
        check(image, self)?;
        self.net.pyramid(image, 2.0, -1.0)
    }
}
