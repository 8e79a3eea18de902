//! Features, networks and methods for the tests of all methods at once.

#![allow(dead_code)] // Each test file uses some of them.

use std::sync::{Mutex, Once};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Distribution, FloatDType, Gradients, Int, IntDType, Tensor};
use kd_losses::{
    Classifier, DifferentiableHead, FeatureShapes, Features, Gate, Method, MethodLoss, NormAffine,
    Setup, Step, Term, TermConfig,
};

/// A method, initialized as a term: with the checks of its gates.
pub type Loss = Term<MethodLoss>;

/// Makes f64 the default type of the device; it can be set only once, and before any tensor.
pub fn in_f64() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        Device::default()
            .configure((FloatDType::F64, IntDType::I32))
            .expect("a CPU has f64, and no tensor was made before");
    });
}

pub const CLASSES: usize = 5;
pub const LABELS: [i32; 8] = [0, 3, 1, 4, 2, 0, 1, 3];
pub const STUDENT: [[usize; 3]; 4] = [[2, 8, 8], [3, 8, 8], [4, 4, 4], [6, 4, 4]];
pub const TEACHER: [[usize; 3]; 4] = [[3, 8, 8], [4, 8, 8], [6, 4, 4], [8, 4, 4]];

/// Methods that compare channel with channel: the teacher's shapes for both.
const SAME_CHANNELS: &[&str] = &["fsp", "kdsvd"];

/// A network that is differentiated: one hidden layer that bends.
#[derive(Clone)]
pub struct Bent {
    pub hidden: Tensor<2>,
    pub output: Tensor<2>,
    pub above: Vec<Tensor<2>>,
}

impl Bent {
    pub fn new(maps: &[[usize; 3]], device: &Device) -> Self {
        let random = |shape| Tensor::random(shape, Distribution::Normal(0.0, 0.5), device);
        Self {
            hidden: random([3 * 4 * 4, 6]),
            output: random([6, CLASSES]),
            above: maps
                .iter()
                .map(|[c, h, w]| random([c * h * w, CLASSES]))
                .collect(),
        }
    }

    pub fn require_grad(self) -> Self {
        Self {
            hidden: self.hidden.require_grad(),
            output: self.output.require_grad(),
            above: self.above.into_iter().map(Tensor::require_grad).collect(),
        }
    }

    fn leaves(&self) -> Vec<&Tensor<2>> {
        let mut leaves = vec![&self.hidden, &self.output];
        leaves.extend(&self.above);
        leaves
    }
}

impl DifferentiableHead for Bent {
    fn from_images(&self, images: Tensor<4>) -> Tensor<2> {
        let flat: Tensor<2> = images.flatten(1, 3);
        flat.matmul(self.hidden.clone())
            .tanh()
            .matmul(self.output.clone())
    }

    fn from_map(&self, stage: usize, map: Tensor<4>) -> Tensor<2> {
        let flat: Tensor<2> = map.flatten(1, 3);
        flat.matmul(self.above[stage].clone()).tanh()
    }
}

/// A batch: everything that a method may read.
pub struct Scene {
    pub student: Features,
    pub teacher: Features,
    pub labels: Tensor<1, Int>,
    pub indices: Tensor<1, Int>,
    pub images: Tensor<4>,
    pub networks: [Bent; 2],
}

fn features(maps: &[[usize; 3]], batch: usize, device: &Device) -> Features {
    let fill = Distribution::Normal(0.0, 1.0);
    Features {
        maps: maps
            .iter()
            .map(|[c, h, w]| Tensor::random([batch, *c, *h, *w], fill, device))
            .collect(),
        preact: maps
            .iter()
            .map(|[c, h, w]| Tensor::random([batch, *c, *h, *w], fill, device))
            .collect(),
        pooled: Tensor::random([batch, maps[maps.len() - 1][0]], fill, device),
        logits: Tensor::random([batch, CLASSES], fill, device) * 3.0,
    }
}

/// Features with `f` applied to every tensor.
pub fn map_features(features: &Features, f: &dyn Map) -> Features {
    let maps = |maps: &[Tensor<4>]| maps.iter().map(|map| f.four(map.clone())).collect();
    Features {
        maps: maps(&features.maps),
        preact: maps(&features.preact),
        pooled: f.two(features.pooled.clone()),
        logits: f.two(features.logits.clone()),
    }
}

/// A function of tensors of both ranks.
pub trait Map {
    fn two(&self, tensor: Tensor<2>) -> Tensor<2>;
    fn four(&self, tensor: Tensor<4>) -> Tensor<4>;
}

/// The leaves whose gradients are wanted.
pub struct Leaves;

impl Map for Leaves {
    fn two(&self, tensor: Tensor<2>) -> Tensor<2> {
        Tensor::from_inner(tensor.inner()).require_grad()
    }
    fn four(&self, tensor: Tensor<4>) -> Tensor<4> {
        Tensor::from_inner(tensor.inner()).require_grad()
    }
}

/// Everything 0.
pub struct Zeros;

impl Map for Zeros {
    fn two(&self, tensor: Tensor<2>) -> Tensor<2> {
        tensor.zeros_like()
    }
    fn four(&self, tensor: Tensor<4>) -> Tensor<4> {
        tensor.zeros_like()
    }
}

/// Everything multiplied.
pub struct Scaled(pub f64);

impl Map for Scaled {
    fn two(&self, tensor: Tensor<2>) -> Tensor<2> {
        tensor * self.0
    }
    fn four(&self, tensor: Tensor<4>) -> Tensor<4> {
        tensor * self.0
    }
}

/// Maps that are the same at all positions, but for what rounding may leave.
pub struct Constant;

impl Map for Constant {
    fn two(&self, tensor: Tensor<2>) -> Tensor<2> {
        tensor
    }
    fn four(&self, tensor: Tensor<4>) -> Tensor<4> {
        let mean = tensor.clone().mean_dim(2).mean_dim(3);
        mean + tensor * 1e-7
    }
}

/// Nothing but what rounding leaves where all is 0.
pub struct Rounding;

impl Map for Rounding {
    fn two(&self, tensor: Tensor<2>) -> Tensor<2> {
        tensor * 1e-7
    }
    fn four(&self, tensor: Tensor<4>) -> Tensor<4> {
        tensor * 1e-7
    }
}

/// Some samples.
pub struct Rows(pub Tensor<1, Int>);

impl Map for Rows {
    fn two(&self, tensor: Tensor<2>) -> Tensor<2> {
        tensor.select(0, self.0.clone())
    }
    fn four(&self, tensor: Tensor<4>) -> Tensor<4> {
        tensor.select(0, self.0.clone())
    }
}

impl Scene {
    /// A random batch for a method; nothing is a leaf yet.
    pub fn new(method: &Method, batch: usize, seed: u64) -> Self {
        let device = Device::default();
        // The generator is the process's: nothing else draws between the seed and the end.
        static DRAWING: Mutex<()> = Mutex::new(());
        let _drawing = DRAWING.lock();
        device.seed(seed);
        let own = if SAME_CHANNELS.contains(&method.name()) {
            TEACHER
        } else {
            STUDENT
        };
        let indices: Vec<i32> = (0..batch as i32).collect();
        Self {
            student: features(&own, batch, &device),
            teacher: features(&TEACHER, batch, &device),
            labels: Tensor::from_ints(&LABELS[..batch], &device),
            indices: Tensor::from_ints(&*indices, &device),
            images: Tensor::random([batch, 3, 4, 4], Distribution::Normal(0.0, 1.0), &device),
            networks: [Bent::new(&own, &device), Bent::new(&TEACHER, &device)],
        }
    }

    /// The batch with the student's side as leaves of a graph.
    pub fn leaves(&self) -> Self {
        let tracked = |tensor: &Tensor<2>| Tensor::from_inner(tensor.clone().inner());
        let [student, teacher] = &self.networks;
        let student = Bent {
            hidden: tracked(&student.hidden),
            output: tracked(&student.output),
            above: student.above.iter().map(tracked).collect(),
        };
        Self {
            student: map_features(&self.student, &Leaves),
            teacher: self.teacher.clone(),
            labels: self.labels.clone(),
            indices: self.indices.clone(),
            images: self.images.clone(),
            networks: [student.require_grad(), teacher.clone()],
        }
    }

    /// The samples at `rows`; leaves stay those of this batch.
    pub fn rows(&self, rows: &[i32]) -> Self {
        let at = Tensor::<1, Int>::from_ints(rows, &Device::default());
        let select = Rows(at.clone());
        Self {
            student: map_features(&self.student, &select),
            teacher: map_features(&self.teacher, &select),
            labels: self.labels.clone().select(0, at.clone()),
            indices: self.indices.clone().select(0, at.clone()),
            images: self.images.clone().select(0, at),
            networks: self.networks.clone(),
        }
    }

    pub fn setup(&self) -> Setup {
        let device = Device::default();
        let shapes = |features: &Features| -> FeatureShapes { features.shapes() };
        Setup::new(shapes(&self.student), shapes(&self.teacher))
            .with_labels(LABELS.iter().map(|label| *label as usize).collect())
            // SemCKD: embeddings of length 2, as those of length 1 have only a sign.
            .with_batch(8)
            .with_classifier(Classifier {
                weight: Tensor::random([CLASSES, 8], Distribution::Default, &device),
                bias: Tensor::zeros([CLASSES], &device),
            })
            .with_norms(
                TEACHER
                    .iter()
                    .map(|[channels, ..]| NormAffine {
                        weight: Tensor::ones([*channels], &device),
                        bias: Tensor::zeros([*channels], &device),
                    })
                    .collect(),
            )
    }

    pub fn init(&self, method: &Method) -> Loss {
        let term = TermConfig::<Method>::new(method.clone(), 1.0);
        let loss = term.init(&self.setup(), &Device::default().autodiff());
        let loss = loss.unwrap_or_else(|error| panic!("{}: {error}", method.name()));
        // Initial values are drawn when they are first used: now.
        visit(&loss, &mut |_| {});
        loss
    }

    /// The method's term.
    pub fn term(&self, loss: &Loss, gates: &[Gate]) -> Tensor<1> {
        self.term_scaled(loss, gates, false)
    }

    /// The method's term, its spots multiplied by their shares or not.
    pub fn term_scaled(&self, loss: &Loss, gates: &[Gate], scaled: bool) -> Tensor<1> {
        let [student, teacher] = &self.networks;
        let epoch = Tensor::from_floats([30.0], &Device::default());
        let step = Step::new(&self.student, &self.teacher)
            .with_labels(&self.labels)
            .with_indices(&self.indices)
            .with_images(&self.images)
            .with_networks(student, teacher)
            .with_epoch(&epoch)
            .with_gates(gates);
        loss.forward(&if scaled { step.scaled_by_share() } else { step })
    }

    /// Gradients of everything on the student's side and of the adapters, in a fixed order; empty
    /// where there is none.
    pub fn gradients(&self, loss: &Loss, grads: &Gradients) -> Vec<Vec<f64>> {
        let mut found = Vec::new();
        let mut push = |gradient: Option<Vec<f64>>| found.push(gradient.unwrap_or_default());
        for map in self.student.maps.iter().chain(&self.student.preact) {
            push(map.grad(grads).map(values));
        }
        for rows in [&self.student.pooled, &self.student.logits] {
            push(rows.grad(grads).map(values));
        }
        for leaf in self.networks[0].leaves() {
            push(leaf.grad(grads).map(values));
        }
        found.extend(parameter_gradients(loss, grads));
        found
    }
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

pub fn scalar(tensor: Tensor<1>) -> f64 {
    values(tensor)[0]
}

fn parameter_gradients(loss: &Loss, grads: &Gradients) -> Vec<Vec<f64>> {
    struct Look<'a>(&'a Gradients, Vec<Vec<f64>>);

    impl ModuleVisitor for Look<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            let gradient = value
                .is_require_grad()
                .then(|| value.grad(self.0))
                .flatten();
            self.1.push(gradient.map(values).unwrap_or_default());
        }
    }

    let mut look = Look(grads, Vec::new());
    loss.visit(&mut look);
    look.1
}

/// Looks at all parameters and running statistics.
pub fn visit(loss: &Loss, look: &mut dyn FnMut(Vec<f64>)) {
    struct Look<'a>(&'a mut dyn FnMut(Vec<f64>));

    impl ModuleVisitor for Look<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            (self.0)(values(param.val()));
        }
    }

    loss.visit(&mut Look(look));
}

/// A copy whose running statistics move on their own.
pub fn copy(loss: &Loss) -> Loss {
    loss.valid().train()
}

/// Largest difference, relative to the largest magnitude of `expected` or to `floor`.
pub fn error(found: &[f64], expected: &[f64], floor: f64) -> f64 {
    // No gradient is a gradient of 0.
    let zeros = vec![0.0; found.len().max(expected.len())];
    let pick = |values: &'_ [f64]| -> Vec<f64> {
        if values.is_empty() {
            zeros.clone()
        } else {
            values.to_vec()
        }
    };
    let (found, expected) = (pick(found), pick(expected));
    assert_eq!(found.len(), expected.len());
    let scale = expected
        .iter()
        .fold(floor, |scale, value| scale.max(value.abs()));
    let largest = |largest: f64, (a, b): (&f64, &f64)| {
        let difference = (a - b).abs();
        if difference.is_nan() {
            f64::INFINITY
        } else {
            largest.max(difference)
        }
    };
    found.iter().zip(&expected).fold(0.0, largest) / scale
}
