//! What is drawn during a step of training.

use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};

use super::on_device;
use super::philox::{philox, unit};

/// The random numbers of a training step: the same on every backend, and new ones in each step.
///
/// They come from Philox 4x32-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3,
/// <https://doi.org/10.1145/2063384.2063405>), a function of a key and a counter: the seed, and the
/// number of the step with what says where in a step a number is drawn. The number of the step is a
/// tensor that is advanced on the device, so that a step which is recorded and replayed draws other
/// numbers each time.
///
/// ```
/// use burn::tensor::Device;
/// use kd_nn::Draws;
///
/// let draws = Draws::new(7, &Device::default());
/// let noise = draws.uniform(0, [64, 3]);
/// let other = draws.stream(1).uniform(0, [64, 3]);
/// let next = draws.advanced();
/// ```
#[derive(Clone, Debug)]
pub struct Draws {
    key: [u32; 2],
    stream: u32,
    step: Tensor<1, Int>,
}

impl Draws {
    /// The draws of a seed from step 0 on, on the plain device of `device`.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            stream: 0,
            step: step_tensor(0, device),
        }
    }

    /// The same at another step, of which the lowest 31 bits count. It is uploaded: for the start of a
    /// run or of an epoch, not for each step.
    pub fn at(self, step: usize) -> Self {
        Self {
            step: step_tensor(step, &self.step.device()),
            ..self
        }
    }

    /// The number of the step, `[1]`: what a recorded step reads and writes.
    pub fn step(&self) -> &Tensor<1, Int> {
        &self.step
    }

    /// The same with the number of the step in another tensor `[1]`.
    pub fn with_step(self, step: Tensor<1, Int>) -> Self {
        Self { step, ..self }
    }

    /// The draws of the next step: one is added on the device.
    pub fn advanced(self) -> Self {
        Self {
            step: self.step + 1,
            ..self
        }
    }

    /// Draws of the same step that have nothing to do with these: one stream for each part of a step
    /// that draws.
    pub fn stream(&self, stream: u32) -> Self {
        Self {
            stream,
            ..self.clone()
        }
    }

    /// Numbers in `[0, 1)`, multiples of 2⁻²⁴, on the plain device. A part that draws twice in a step
    /// names another `place`.
    pub fn uniform<const D: usize>(&self, place: u32, shape: [usize; D]) -> Tensor<D> {
        let device = self.step.device();
        let count = shape.iter().product();
        if count == 0 {
            return Tensor::zeros(shape, &device);
        }
        if !kd_kernels::is_cpu(&device) {
            let places = [self.stream, place];
            #[cfg(feature = "cube")]
            if kd_kernels::gpu::random::serves(&self.step) {
                let numbers =
                    kd_kernels::gpu::random::units(count, self.step.clone(), places, self.key);
                return numbers.reshape(shape);
            }
            return on_device::units(count, &self.step, places, self.key, &device).reshape(shape);
        }
        let values = self.on_host(place, count);
        Tensor::from_data(TensorData::new(values, shape), &device)
    }

    /// On the CPU, where nothing has to be waited for.
    fn on_host(&self, place: u32, count: usize) -> Vec<f32> {
        let step = self.step.clone().into_data();
        let step = step.iter::<i64>().next().unwrap_or_default() as u32;
        let blocks = 0..count.div_ceil(4) as u32;
        let words = blocks.flat_map(|block| philox([block, step, self.stream, place], self.key));
        words.take(count).map(unit).collect()
    }
}

fn step_tensor(step: usize, device: &Device) -> Tensor<1, Int> {
    let step = (step & 0x7FFF_FFFF) as i32;
    Tensor::from_ints([step], &device.clone().without_autodiff())
}

/// [`Draws::uniform`], or numbers of the device's own generator where there are no draws.
pub fn uniform<const D: usize>(
    draws: Option<&Draws>,
    place: u32,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    match draws {
        Some(draws) => draws.uniform(place, shape),
        None => {
            let plain = device.clone().without_autodiff();
            Tensor::random(shape, Distribution::Uniform(0.0, 1.0), &plain)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_into_vec().expect("f32")
    }

    #[test]
    fn the_device_draws_what_the_host_draws() {
        let device = Device::default();
        let seed = 0xFEDC_BA98_7654_3210;
        for step in [0, 1, 0xFFFF, 0x7FFF_FFFE] {
            let draws = Draws::new(seed, &device).at(step).stream(0xDEAD_BEEF);
            let places = [draws.stream, 3];
            let found = on_device::units(4099, &draws.step, places, draws.key, &device);
            assert_eq!(values(found), draws.on_host(3, 4099), "step {step}");
        }
    }

    #[test]
    fn steps_streams_and_places_are_apart() {
        let draws = Draws::new(5, &Device::default());
        let first = values(draws.uniform(0, [100, 3]));
        assert_eq!(values(draws.uniform(0, [100, 3])), first);
        let others = [
            values(draws.uniform(1, [100, 3])),
            values(draws.stream(1).uniform(0, [100, 3])),
            values(draws.clone().advanced().uniform(0, [100, 3])),
            values(Draws::new(6, &Device::default()).uniform(0, [100, 3])),
        ];
        for other in others {
            let same = first.iter().zip(&other).filter(|(a, b)| a == b).count();
            assert_eq!(same, 0);
        }
        // A continuation draws what an uninterrupted run does.
        let again = values(draws.clone().at(2).uniform(0, [7]));
        assert_eq!(values(draws.advanced().advanced().uniform(0, [7])), again);
    }

    #[test]
    fn numbers_are_uniform() {
        let count = 100_000;
        let drawn = values(Draws::new(1, &Device::default()).uniform(0, [count]));
        assert!(drawn.iter().all(|u| (0.0..1.0).contains(u)));
        let mut bins = [0usize; 16];
        drawn.iter().for_each(|u| bins[(u * 16.0) as usize] += 1);
        let expected = count as f64 / 16.0;
        let chi: f64 = bins
            .iter()
            .map(|n| (*n as f64 - expected).powi(2) / expected)
            .sum();
        // 15 degrees of freedom: above 37.7 once in a thousand seeds.
        assert!(chi < 37.7, "{chi}");
    }
}
