//! Comparing one case on one backend.

use burn::module::Module;
use burn::tensor::{Device, Gradients, Tensor};
use kd_tests::{
    Case, ReadParameter, assert_close, assert_scalar, devices, fill_parameters, visit_parameters,
};

/// Relative tolerance of loss values, and of tensors on the way to them.
pub const VALUE: f64 = 1e-5;

/// Tolerance of gradients, relative to the tensor's largest magnitude.
pub const GRADIENT: f64 = 1e-4;

/// The same for methods whose gradients are ill-conditioned in f32.
pub const LOOSE_GRADIENT: f64 = 1e-3;

/// One case on one backend.
pub struct Check<'a> {
    pub case: &'a Case,
    pub backend: &'static str,
    /// The plain device: the teacher's.
    pub device: Device,
    /// Tolerance of gradients.
    pub gradient: f64,
}

/// Runs a check on each case and backend.
pub fn on_all(names: &[&str], check: impl Fn(&Check<'_>)) {
    on_all_within(GRADIENT, names, check);
}

/// The same, with another tolerance of gradients.
pub fn on_all_within(gradient: f64, names: &[&str], check: impl Fn(&Check<'_>)) {
    for name in names {
        let case = Case::load("losses", name);
        for (backend, device) in devices() {
            check(&Check {
                case: &case,
                backend,
                device,
                gradient,
            });
        }
    }
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32")
}

impl Check<'_> {
    /// The autodiff device: the student's and the adapters'.
    pub fn training(&self) -> Device {
        self.device.clone().autodiff()
    }

    /// An input whose gradient is wanted.
    pub fn student<const D: usize>(&self, name: &str) -> Tensor<D> {
        self.case.input(name, &self.training()).require_grad()
    }

    /// A constant input.
    pub fn teacher<const D: usize>(&self, name: &str) -> Tensor<D> {
        self.case.input(name, &self.device)
    }

    /// A number among the hyper-parameters.
    pub fn hyper(&self, name: &str) -> f64 {
        let value = self.case.hyper(name);
        value.unwrap_or_else(|| panic!("{}: no `{name}` in `hyper`", self.case.name))
    }

    fn label(&self, what: &str) -> String {
        format!("{}\t{what}\t{}", self.case.name, self.backend)
    }

    /// Compares a loss of shape `[1]` with the scalar of this name.
    pub fn loss(&self, name: &str, loss: Tensor<1>) {
        let label = self.label(name);
        assert_eq!(loss.dims(), [1], "{label}");
        let value: f32 = loss.into_scalar();
        assert_scalar(&label, f64::from(value), self.case.scalar(name), VALUE);
    }

    /// Compares a tensor with the expected one of this name, relative to its largest magnitude.
    pub fn tensor<const D: usize>(&self, name: &str, tensor: Tensor<D>) {
        self.tensor_within(VALUE, name, tensor);
    }

    /// The same, with another tolerance.
    pub fn tensor_within<const D: usize>(&self, tolerance: f64, name: &str, tensor: Tensor<D>) {
        let expected = self.case.expected(name);
        assert_close(&self.label(name), &values(tensor), expected, tolerance);
    }

    /// Compares the gradient of an input with `grad/<name>`.
    pub fn gradient<const D: usize>(&self, name: &str, input: &Tensor<D>, grads: &Gradients) {
        let gradient = input.grad(grads);
        let gradient = gradient.unwrap_or_else(|| panic!("{}: no gradient", self.label(name)));
        self.gradient_values(&format!("grad/{name}"), &values(gradient));
    }

    /// Compares a gradient with an expected tensor, relative to its largest magnitude.
    ///
    /// Where the exact gradient is 0 (the same features on both sides; a bias in front of a batch
    /// norm), the reference's is 1e-17 of rounding in f64, which gives no scale to compare with; GPUs sum
    /// up in another order, and cancel less of it.
    pub fn gradient_values(&self, name: &str, actual: &[f32]) {
        let label = self.label(name);
        let expected = self.case.expected(name);
        if expected.iter().all(|value| value.abs() < 1e-9) {
            let is_cpu = ["flex", "ndarray"].contains(&self.backend);
            let rounding = if is_cpu { 1e-7 } else { 1e-6 };
            assert_close(&label, actual, &vec![0.0; expected.len()], rounding);
        } else {
            assert_close(&label, actual, expected, self.gradient);
        }
    }

    /// Gives a module the case's parameters; all of them that start with `prefixes` are used.
    /// `key` makes the reference's key from the path in the module.
    pub fn fill<M: Module>(&self, module: M, prefixes: &[&str], key: impl Fn(&str) -> String) -> M {
        fill_parameters(self.case, module, prefixes, key)
    }

    /// Compares the gradients of all parameters of a module for which the case has
    /// `grad/<key>`; the others must have none. Returns how many were compared.
    pub fn gradients<M: Module>(
        &self,
        module: &M,
        grads: &Gradients,
        key: impl Fn(&str) -> String,
    ) -> usize {
        self.gradients_of("grad/", module, grads, key)
    }

    /// The same for the expected tensors `<prefix><key>`.
    pub fn gradients_of<M: Module>(
        &self,
        prefix: &str,
        module: &M,
        grads: &Gradients,
        key: impl Fn(&str) -> String,
    ) -> usize {
        struct Gradient<'a, 'b>(&'a Gradients, &'a Check<'b>, &'a str);

        impl ReadParameter for Gradient<'_, '_> {
            fn read<const D: usize>(&self, key: &str, param: Tensor<D>) -> Option<Tensor<D>> {
                let Self(grads, check, prefix) = self;
                // Running statistics are no leaves of the graph.
                let gradient = param.is_require_grad().then(|| param.grad(grads)).flatten();
                let expected = check.case.has_expected(&format!("{prefix}{key}"));
                assert_eq!(
                    gradient.is_some(),
                    expected,
                    "{}: has a gradient, is one expected",
                    check.label(key)
                );
                gradient
            }
        }

        let mut compared = 0;
        visit_parameters(module, key, Gradient(grads, self, prefix), |key, values| {
            self.gradient_values(&format!("{prefix}{key}"), &values);
            compared += 1;
        });
        compared
    }

    /// Compares all buffers of a module for which the case has `after/<key>`. Returns how many.
    pub fn statistics<M: Module>(&self, module: &M, key: impl Fn(&str) -> String) -> usize {
        struct After<'a>(&'a Case);

        impl ReadParameter for After<'_> {
            fn read<const D: usize>(&self, key: &str, param: Tensor<D>) -> Option<Tensor<D>> {
                self.0
                    .has_expected(&format!("after/{key}"))
                    .then_some(param)
            }
        }

        let mut compared = 0;
        visit_parameters(module, key, After(self.case), |key, values| {
            let name = format!("after/{key}");
            let expected = self.case.expected(&name);
            assert_close(&self.label(&name), &values, expected, VALUE);
            compared += 1;
        });
        compared
    }
}
