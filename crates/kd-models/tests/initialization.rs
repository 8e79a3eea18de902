//! Parameters are drawn from the distributions of the references.

use burn::tensor::Device;
use kd_models::Architecture;
use kd_models::weights::state_dict;

/// What the weights of convolutions and classifier follow.
#[derive(Clone, Copy)]
enum Drawn {
    /// Normal of variance `2 / (kernel area · output channels)`.
    HeFanOut,
    /// Normal of this deviation.
    Normal(f64),
    /// Uniform in `±1 / √fan_in`.
    Uniform,
}

/// Family, convolutions, weight of the classifier, whether the classifier's bias is drawn.
const FAMILIES: &[(&str, Drawn, Drawn, bool)] = &[
    ("resnet20", Drawn::HeFanOut, Drawn::Uniform, true),
    ("ResNet18", Drawn::HeFanOut, Drawn::Uniform, true),
    ("resnet18-imagenet", Drawn::HeFanOut, Drawn::Uniform, true),
    ("represnet20", Drawn::HeFanOut, Drawn::Uniform, true),
    ("wrn_16_2", Drawn::HeFanOut, Drawn::Uniform, false),
    ("vgg8", Drawn::HeFanOut, Drawn::Normal(0.01), false),
    ("repvgg8", Drawn::HeFanOut, Drawn::Normal(0.01), false),
    (
        "mobilenetv2_050",
        Drawn::HeFanOut,
        Drawn::Normal(0.01),
        false,
    ),
    (
        "repmobilenetv2",
        Drawn::HeFanOut,
        Drawn::Normal(0.01),
        false,
    ),
    ("mobilenetv1-imagenet", Drawn::Uniform, Drawn::Uniform, true),
    ("shufflenetv1", Drawn::Uniform, Drawn::Uniform, true),
    ("repshufflenetv1", Drawn::Uniform, Drawn::Uniform, true),
    ("shufflenetv2", Drawn::Uniform, Drawn::Uniform, true),
];

/// Mean square and largest magnitude that a tensor of this shape should have.
fn moments(drawn: Drawn, shape: &[usize]) -> (f64, Option<f64>) {
    let kernel: usize = shape[2..].iter().product();
    match drawn {
        Drawn::HeFanOut => (2.0 / (shape[0] * kernel) as f64, None),
        Drawn::Normal(std) => (std * std, None),
        Drawn::Uniform => {
            let bound = 1.0 / ((shape[1] * kernel) as f64).sqrt();
            (bound * bound / 3.0, Some(bound))
        }
    }
}

/// Numbers that follow one distribution.
struct Sample {
    label: String,
    values: Vec<f64>,
    variance: f64,
    bound: Option<f64>,
}

impl Sample {
    fn check(&self) {
        let Self {
            label,
            values,
            variance,
            bound,
        } = self;
        let count = values.len() as f64;
        let square = values.iter().map(|v| v * v).sum::<f64>() / count;
        // Six deviations of the estimate: of a normal's square √2, of a uniform's 0.9.
        let tolerance = 6.0 * (2.0 / count).sqrt();
        assert!(
            (square / variance - 1.0).abs() < tolerance,
            "{label} has mean square {square:.3e}, expected {variance:.3e}"
        );
        let mean = values.iter().sum::<f64>() / count;
        assert!(
            mean.abs() < 6.0 * (variance / count).sqrt(),
            "{label} has mean {mean:.3e}"
        );
        let largest = values.iter().fold(0.0, |max: f64, v| max.max(v.abs()));
        match bound {
            // Rounding to f32.
            Some(bound) => assert!(largest <= bound * (1.0 + 1e-6), "{label} is bounded"),
            // No uniform of the same variance goes beyond 1.74 deviations.
            None => assert!(largest > 2.0 * variance.sqrt(), "{label} is normal"),
        }
    }
}

/// Numbers below which a tensor alone says too little.
const ENOUGH: usize = 400;

#[test]
fn weights_follow_the_references_distributions() {
    for &(name, convolutions, classifier, biased) in FAMILIES {
        let architecture = Architecture::by_name(name).expect("a network");
        let network = architecture.init(100, &Device::default());
        let mut checked = 0;
        // Small tensors, each divided by its deviation, together.
        let mut small: Vec<f64> = Vec::new();
        // Inputs of the layer before, for its bias.
        let mut inputs = 0;
        for (key, data) in state_dict(&network).expect("readable parameters") {
            let shape = data.shape().to_vec();
            let values: Vec<f64> = data.iter::<f64>().collect();
            let constant = |value: f64| {
                let all = values.iter().all(|v| *v == value);
                assert!(all, "{name}: {key} is {value}");
            };
            let (variance, bound) = match shape.as_slice() {
                [_, input, _, _] => {
                    inputs = *input;
                    moments(convolutions, &shape)
                }
                [_, input] => {
                    inputs = *input;
                    moments(classifier, &shape)
                }
                _ if key.ends_with("running_var") || key.ends_with("weight") => {
                    constant(1.0);
                    continue;
                }
                // The classifier's bias; all others start at zero, as running means do.
                _ if biased && key.ends_with("bias") && values.len() == 100 => {
                    moments(Drawn::Uniform, &[100, inputs])
                }
                _ => {
                    constant(0.0);
                    continue;
                }
            };
            if values.len() < ENOUGH {
                if let Some(bound) = bound {
                    let bounded = |v: &f64| v.abs() <= bound * (1.0 + 1e-6);
                    assert!(values.iter().all(bounded), "{name}: {key} is bounded");
                }
                small.extend(values.iter().map(|v| v / variance.sqrt()));
                continue;
            }
            checked += 1;
            let sample = Sample {
                label: format!("{name}: {key} {shape:?}"),
                values,
                variance,
                bound,
            };
            sample.check();
        }
        assert!(checked > 3, "{name}: {checked} weights checked");
        if small.len() >= ENOUGH {
            let uniform = matches!(convolutions, Drawn::Uniform);
            let sample = Sample {
                label: format!("{name}: small tensors"),
                values: small,
                variance: 1.0,
                bound: uniform.then_some(3f64.sqrt()),
            };
            sample.check();
        }
    }
}
