//! A small network, and the same from plain tensors.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Gradients, Tensor, activation::relu};
use kd_core::{Feature, Network};
use kd_nn::{BatchNorm, BatchNormConfig};

/// Number of classes.
const CLASSES: usize = 3;
/// Convolutions, the stem's first: two stages follow.
const LAYERS: usize = 3;
const EPSILON: f64 = 1e-5;
const MOMENTUM: f64 = 0.1;

/// Three convolutions with batch norms.
#[derive(Module, Debug)]
pub struct Tiny {
    /// The convolutions, the stem's first.
    pub convs: Vec<Conv2d>,
    /// A batch norm after each.
    pub norms: Vec<BatchNorm>,
    /// The classifier.
    pub head: Linear,
}

impl Tiny {
    /// With so many channels at each stage.
    pub fn new(width: usize, device: &Device) -> Self {
        let conv = |layer: usize| {
            let input = if layer == 0 { 3 } else { width };
            Conv2dConfig::new([input, width], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_bias(false)
                .init(device)
        };
        let norm = |_| {
            let mut norm: BatchNorm = BatchNormConfig::new(width).init(device);
            let noise = Tensor::random([width], Distribution::Normal(0.0, 0.2), device);
            norm.weight = Param::from_tensor(noise.clone() + 1.0);
            norm.bias = Param::from_tensor(noise);
            norm
        };
        Self {
            convs: (0..LAYERS).map(conv).collect(),
            norms: (0..LAYERS).map(norm).collect(),
            head: LinearConfig::new(width, CLASSES).init(device),
        }
    }
}

impl Network for Tiny {
    fn stages(&self) -> usize {
        LAYERS - 1
    }

    fn stage(&self, index: usize, input: Feature) -> Feature {
        if index < LAYERS {
            let map = self.convs[index].forward(input.map());
            return relu(self.norms[index].forward(map)).into();
        }
        match index == LAYERS {
            true => pooled(input.map()).into(),
            false => self.head.forward(input.vector()).into(),
        }
    }
}

fn pooled(map: Tensor<4>) -> Tensor<2> {
    map.mean_dim(3).mean_dim(2).flatten(1, 3)
}

/// What [`Tiny`] computes.
pub struct Out {
    /// After each convolution, `[batch, channels, height, width]`.
    pub maps: Vec<Tensor<4>>,
    /// `[batch, channels]`.
    pub pooled: Tensor<2>,
    /// `[batch, classes]`.
    pub logits: Tensor<2>,
}

/// Parameters as plain leaves, flattened; with the velocities of SGD.
pub struct Leaves {
    values: Vec<Tensor<1>>,
    shapes: Vec<Vec<usize>>,
    velocities: Vec<Option<Tensor<1>>>,
}

fn flat<const D: usize>(param: &Param<Tensor<D>>) -> (Tensor<1>, Vec<usize>) {
    let value = param.val().inner();
    let dims = value.dims().to_vec();
    let length = value.shape().num_elements();
    (value.reshape([length]), dims)
}

impl Leaves {
    /// From values of parameters.
    fn of(parameters: Vec<(Tensor<1>, Vec<usize>)>) -> Self {
        let (values, shapes): (Vec<_>, Vec<_>) = parameters.into_iter().unzip();
        let leaf = |value: Tensor<1>| Tensor::from_inner(value).require_grad();
        Self {
            velocities: vec![None; values.len()],
            values: values.into_iter().map(leaf).collect(),
            shapes,
        }
    }

    /// Of linear layers: weight `[in, out]` and bias of each.
    pub fn of_linears(layers: &[&Linear]) -> Self {
        let parameters = layers.iter().flat_map(|layer| {
            let bias = layer.bias.as_ref().expect("a bias");
            [flat(&layer.weight), flat(bias)]
        });
        Self::of(parameters.collect())
    }

    /// A parameter by its number.
    pub fn get<const D: usize>(&self, index: usize) -> Tensor<D> {
        let dims: [usize; D] = self.shapes[index].clone().try_into().expect("a rank");
        self.values[index].clone().reshape(dims)
    }

    /// `x W + b` by the layer of a number.
    pub fn linear(&self, layer: usize, rows: Tensor<2>) -> Tensor<2> {
        let bias: Tensor<1> = self.get(2 * layer + 1);
        rows.matmul(self.get(2 * layer)) + bias.unsqueeze()
    }

    /// The norm of all gradients together.
    pub fn norm(&self, gradients: &Gradients) -> f64 {
        let squares = self.values.iter().map(|value| {
            let gradient = value.grad(gradients).expect("a gradient");
            gradient.square().sum().into_scalar::<f64>()
        });
        squares.sum::<f64>().sqrt()
    }

    /// A step of SGD: `g ← g + d w`, `v ← μ v + g`, `w ← w − r v`.
    pub fn step(&mut self, gradients: &Gradients, (rate, decay, momentum): (f64, f64, f64)) {
        self.clipped_step(gradients, 1.0, (rate, decay, momentum));
    }

    /// The same with gradients multiplied by a factor.
    pub fn clipped_step(
        &mut self,
        gradients: &Gradients,
        factor: f64,
        (rate, decay, momentum): (f64, f64, f64),
    ) {
        for (value, velocity) in self.values.iter_mut().zip(&mut self.velocities) {
            let gradient = value.grad(gradients).expect("a gradient") * factor;
            let plain = value.clone().inner();
            let gradient = gradient + plain.clone() * decay;
            let new = match velocity.take() {
                Some(velocity) => velocity * momentum + gradient,
                None => gradient,
            };
            *value = Tensor::from_inner(plain - new.clone() * rate).require_grad();
            *velocity = Some(new);
        }
    }

    /// Compares with the parameters of layers that were trained.
    pub fn assert_linears(&self, what: &str, layers: &[&Linear]) {
        self.assert_same(what, &Self::of_linears(layers));
    }

    fn assert_same(&self, what: &str, found: &Self) {
        for (index, (own, other)) in self.values.iter().zip(&found.values).enumerate() {
            assert_near(&format!("{what} {index}"), own, other);
        }
    }
}

/// Burn's optimizers keep a weight decay in f32; all else is f64.
const WITHIN: f64 = 1e-7;

/// Asserts that two tensors are the same but for rounding.
pub fn assert_near<const D: usize>(what: &str, own: &Tensor<D>, other: &Tensor<D>) {
    let plain = |tensor: &Tensor<D>| tensor.clone().inner().into_data().convert::<f64>();
    let values = |tensor| plain(tensor).try_into_vec::<f64>().expect("f64");
    let (own, other) = (values(own), values(other));
    let scale = own
        .iter()
        .fold(1e-3, |max: f64, value| max.max(value.abs()));
    for (own, other) in own.iter().zip(&other) {
        assert!(
            (own - other).abs() < WITHIN * scale,
            "{what}: {own}, {other}"
        );
    }
}

/// [`Tiny`] from plain tensors.
pub struct Plain {
    /// Convolution, scale and shift of each layer, then weight and bias of the head.
    pub leaves: Leaves,
    /// Running mean and variance of each layer.
    running: Vec<[Tensor<1>; 2]>,
}

impl Plain {
    /// With the parameters and statistics of a network.
    pub fn of(network: &Tiny) -> Self {
        let mut parameters = Vec::new();
        for (conv, norm) in network.convs.iter().zip(&network.norms) {
            parameters.extend([flat(&conv.weight), flat(&norm.weight), flat(&norm.bias)]);
        }
        let bias = network.head.bias.as_ref().expect("a bias");
        parameters.extend([flat(&network.head.weight), flat(bias)]);
        let running = network.norms.iter();
        let running = running.map(|norm| {
            let values = [&norm.running_mean, &norm.running_var];
            values.map(|value| value.value_sync().inner())
        });
        Self {
            leaves: Leaves::of(parameters),
            running: running.collect(),
        }
    }

    /// In training: batch statistics, and the running ones move.
    pub fn train(&mut self, images: &Tensor<4>) -> Out {
        let layers = 0..LAYERS;
        let mut map = Tensor::from_inner(images.clone().inner());
        let maps = layers.map(|layer| {
            let convolved = self.convolve(layer, map.clone());
            let [batch, width, height, breadth] = convolved.dims();
            let count = (batch * height * breadth) as f64;
            let mean = convolved.clone().mean_dim(0).mean_dim(2).mean_dim(3);
            let centered = convolved - mean.clone();
            let squares = centered.clone().square();
            let variance = squares.mean_dim(0).mean_dim(2).mean_dim(3);
            let moved = [
                mean.inner().reshape([width]),
                variance.clone().inner().reshape([width]) * (count / (count - 1.0)),
            ];
            for (running, value) in self.running[layer].iter_mut().zip(moved) {
                *running = running.clone() * (1.0 - MOMENTUM) + value * MOMENTUM;
            }
            map = self.finish_layer(layer, centered / (variance + EPSILON).sqrt());
            map.clone()
        });
        let maps = maps.collect();
        self.out(maps)
    }

    /// In evaluation, with the running statistics.
    pub fn evaluate(&self, images: &Tensor<4>) -> Out {
        let mut map = Tensor::from_inner(images.clone().inner());
        let maps = (0..LAYERS).map(|layer| {
            let convolved = self.convolve(layer, map.clone());
            let [_, width, _, _] = convolved.dims();
            let [mean, variance] = self.running[layer].clone();
            let mean: Tensor<4> = mean.reshape([1, width, 1, 1]);
            let variance: Tensor<4> = variance.reshape([1, width, 1, 1]);
            map = self.finish_layer(layer, (convolved - mean) / (variance + EPSILON).sqrt());
            map.clone()
        });
        let maps = maps.collect();
        self.out(maps)
    }

    fn convolve(&self, layer: usize, map: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        conv2d(map, self.leaves.get(3 * layer), None, options)
    }

    fn finish_layer(&self, layer: usize, normalized: Tensor<4>) -> Tensor<4> {
        let [_, width, _, _] = normalized.dims();
        let of = |index: usize| {
            self.leaves
                .get::<1>(3 * layer + index)
                .reshape([1, width, 1, 1])
        };
        relu(normalized * of(1) + of(2))
    }

    /// The logits of a pooled feature.
    pub fn classify(&self, rows: Tensor<2>) -> Tensor<2> {
        let bias: Tensor<1> = self.leaves.get(3 * LAYERS + 1);
        rows.matmul(self.leaves.get(3 * LAYERS)) + bias.unsqueeze()
    }

    fn out(&self, maps: Vec<Tensor<4>>) -> Out {
        let pooled = pooled(maps[LAYERS - 1].clone());
        Out {
            logits: self.classify(pooled.clone()),
            pooled,
            maps,
        }
    }

    /// Compares parameters and running statistics.
    pub fn assert_is(&self, what: &str, network: &Tiny) {
        let found = Self::of(network);
        self.leaves.assert_same(what, &found.leaves);
        for (layer, (own, other)) in self.running.iter().zip(&found.running).enumerate() {
            for (own, other) in own.iter().zip(other) {
                assert_near(&format!("{what}: statistics of layer {layer}"), own, other);
            }
        }
    }
}
