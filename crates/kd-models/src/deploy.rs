//! From the file of a trained network to the file of its plain, folded form.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;

use crate::weights::{
    Form, Identity, ReadOptions, WeightsFile, WeightsInfo, count_parameters, save,
};
use crate::{AnyNetwork, Architecture, CountMacs, ModelError, Network};

/// Most images on which the two forms are compared; fewer where they are large.
const IMAGES: usize = 16;

/// Most pixels of all these images.
const PIXELS: usize = IMAGES * 224 * 224;

/// Difference, relative to the largest logit, that rounding cannot explain.
const TOLERANCE: f64 = 1e-3;

/// What to deploy, and how.
#[derive(Clone, Debug, Default)]
pub struct DeployOptions {
    /// The network; may be left out for files that tell it.
    pub architecture: Option<Architecture>,
    /// Fold every batch norm that follows a convolution. Without it, of a re-parameterizable
    /// network only its units are folded, as KDrefine does; of all others everything is.
    pub fold_all: bool,
    /// Shape `[channels, height, width]` of the images; by default what the file says, or what the
    /// network is usually trained on.
    pub input: Option<[usize; 3]>,
    /// Which weights of the file to take.
    pub read: ReadOptions,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct DeployReport {
    /// The network.
    pub architecture: Architecture,
    /// Its form now.
    pub form: Form,
    /// Shape `[channels, height, width]` of the images.
    pub input: [usize; 3],
    /// Trainable parameters before.
    pub params_before: usize,
    /// Trainable parameters after.
    pub params_after: usize,
    /// Floating-point operations for an image before: two for each multiply-accumulate of
    /// convolutions and linear layers.
    pub flops_before: u64,
    /// Floating-point operations for an image after.
    pub flops_after: u64,
    /// Number of random images on which both forms were compared.
    pub images: usize,
    /// Largest difference of a logit.
    pub difference: f64,
    /// The same, relative to the largest logit.
    pub relative_difference: f64,
}

/// Folds the network in the file `from` and writes the result to the file `to`, as safetensors.
///
/// # Errors
///
/// Those of [`WeightsFile`] and [`save`]; [`ModelError::SameFile`] if both files are one,
/// [`ModelError::Input`] if the network cannot take such images, [`ModelError::NothingToFold`] if
/// the file holds a folded network already, [`ModelError::Changed`] if the result computes
/// something else (because weights are too large for f32, for example).
pub fn deploy(
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
    options: &DeployOptions,
    device: &Device,
) -> Result<DeployReport, ModelError> {
    if same_file(from.as_ref(), to.as_ref()) {
        return Err(ModelError::SameFile {
            path: to.as_ref().to_owned(),
        });
    }
    // Comparing and folding is evaluation.
    let device = &device.clone().without_autodiff();
    let file = WeightsFile::open_with(&from, &options.read)?;
    let identity = file.identity(options.architecture, None)?;
    let Identity {
        architecture,
        classes,
        ..
    } = identity;
    let form = target(&identity, options).ok_or_else(|| ModelError::NothingToFold {
        path: from.as_ref().to_owned(),
        architecture: architecture.to_string(),
        form: identity.form.name(),
    })?;
    let described = file.info().cloned();
    let input = options
        .input
        .or(described.as_ref().map(|info| info.input))
        .unwrap_or(architecture.usual_input());
    architecture.check_input(input)?;

    let before = file
        .into_network(options.architecture, None, device)?
        .valid();
    let after = form.of(before.clone());
    let [_, height, width] = input;
    let images = IMAGES.min(PIXELS / (height * width)).max(1);
    let (difference, relative_difference) = compare(&before, &after, images, input, device)?;
    if relative_difference.is_nan() || relative_difference > TOLERANCE {
        return Err(ModelError::Changed {
            path: from.as_ref().to_owned(),
            relative: relative_difference,
            expected: TOLERANCE,
        });
    }
    let info = match described {
        Some(info) => WeightsInfo { form, ..info },
        None => WeightsInfo {
            architecture,
            form,
            classes,
            input,
            mean: None,
            std: None,
            data: None,
            top1: None,
        },
    };
    save(to, &after, &info)?;
    Ok(DeployReport {
        architecture,
        form,
        input,
        params_before: count_parameters(&before),
        params_after: count_parameters(&after),
        flops_before: 2 * before.macs(input, device),
        flops_after: 2 * after.macs(input, device),
        images,
        difference,
        relative_difference,
    })
}

/// The form that a file is to be brought into, if there is something left to fold.
fn target(identity: &Identity, options: &DeployOptions) -> Option<Form> {
    let units_only = identity.architecture.deployable() && !options.fold_all;
    let form = if units_only {
        Form::Deployed
    } else {
        Form::Folded
    };
    match identity.form {
        Form::Trained => Some(form),
        Form::Deployed if form == Form::Folded => Some(form),
        Form::Deployed | Form::Folded => None,
    }
}

/// Whether two paths lead to the same file, which exists.
fn same_file(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| std::fs::canonicalize(path).ok();
    place(one).is_some_and(|path| place(other) == Some(path))
}

/// Largest difference of a logit on so many images of noise, always the same ones, as it is and
/// relative to the largest logit.
fn compare(
    before: &AnyNetwork,
    after: &AnyNetwork,
    images: usize,
    input: [usize; 3],
    device: &Device,
) -> Result<(f64, f64), ModelError> {
    let [channels, height, width] = input;
    // Uniform around 0, of variance 1.
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let values: Vec<f32> = (0..images * channels * height * width)
        .map(|_| (random.next_u32() as f32 / u32::MAX as f32 - 0.5) * 12f32.sqrt())
        .collect();
    let shape = [images, channels, height, width];
    let images = Tensor::<4>::from_data(TensorData::new(values, shape), device);
    let expected = before.forward(images.clone());
    let difference = (after.forward(images) - expected.clone()).abs().max();
    let read = |value: Tensor<1>| {
        let value = value.into_data().try_to_vec::<f32>();
        match value.as_deref() {
            Ok([value]) => Ok(f64::from(*value)),
            _ => Err(ModelError::Parameter {
                key: "logits".to_owned(),
                reason: "they could not be read from the device".to_owned(),
            }),
        }
    };
    let difference = read(difference)?;
    let largest = read(expected.abs().max())?;
    Ok((difference, difference / largest.max(f64::MIN_POSITIVE)))
}
