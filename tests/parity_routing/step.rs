//! A whole spot-adaptive step against the reference values, for two iterations: policy logits,
//! choices, the grafted network's logits, the routing objective, every part of the loss, gradients,
//! and parameters after both optimisers.

use burn::module::{Module, ModuleVisitor, Param, RunningState};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Gradients, Tensor};
use kd_losses::{Features, Gate, KdLossConfig, Method, MethodLoss, Setup, Step, cross_entropy};
use kd_models::weights::load_state_dict;
use kd_models::{AnyNetwork, Architecture, Network, Repository};
use kd_spot::{Choices, Cuts, Router, RouterConfig, features_for_losses, shapes_for_losses};
use kd_tests::{
    Case, ReadParameter, assert_close, assert_scalar, fill_parameters, float_data, visit_parameters,
};
use serde_json::{Value, json};

const INPUT: [usize; 3] = [3, 32, 32];

/// What the main optimiser trains.
#[derive(Module, Debug)]
struct Learner {
    student: AnyNetwork,
    method: MethodLoss,
}

/// Tolerances of an iteration, of the largest value in each tensor.
pub struct Within {
    /// Of logits and parts of the loss.
    pub values: f64,
    /// Of gradients.
    pub gradients: f64,
    /// Of parameters after the step.
    pub parameters: f64,
}

fn hyper<'a>(case: &'a Case, name: &str) -> &'a Value {
    &case.manifest["hyper"][name]
}

fn number(case: &Case, name: &str) -> f64 {
    case.hyper(name).expect("a number")
}

fn reversed(case: &Case) -> bool {
    hyper(case, "reverse") == true
}

fn network(case: &Case, name: &str, device: &Device) -> AnyNetwork {
    let architecture = hyper(case, name).as_str().expect("a name");
    let architecture = Architecture::by_name_in(Repository::Sakd, architecture).expect("known");
    let classes = number(case, "num_classes") as usize;
    let prefix = format!("{name}.");
    let entries = case
        .params()
        .into_iter()
        .filter_map(|(key, shape, values)| {
            let key = key.strip_prefix(&prefix)?.to_owned();
            Some((key, float_data(values, shape)))
        });
    load_state_dict(architecture.init(classes, device), entries)
        .unwrap_or_else(|problems| panic!("{}: {}", case.name, problems.join("\n")))
}

fn method(case: &Case) -> Method {
    let name = hyper(case, "loss").as_str().expect("a name");
    let described = match name {
        "CC" => json!({
            "name": "cc",
            "dim": hyper(case, "feat_dim"),
            "train_teacher_embedding": false,
        }),
        "CRD" => json!({
            "name": "crd",
            "dim": hyper(case, "feat_dim"),
            "negatives": hyper(case, "nce_k"),
            "sampling": "uniform",
        }),
        // Adapters with batch norms see the whole batch.
        name @ ("FitNet" | "FT") => json!({ "name": name.to_lowercase(), "whole_batch": true }),
        name => json!({ "name": name.to_lowercase() }),
    };
    serde_json::from_value(described).expect("a method")
}

/// The reference's key of a parameter of the router.
fn router_key(path: &str, numbered: bool) -> String {
    let mut parts: Vec<&str> = path.split('.').collect();
    if parts[0] == "policy" {
        return path.to_owned();
    }
    let list = match parts[1] {
        "hints" => "hint",
        "anti_hints" => "anti_hint",
        other => panic!("{other} in {path}"),
    };
    // A vector's bridge is a bare layer here and a module with a layer there.
    let layer = if numbered { "" } else { ".net" };
    let layer = if parts.len() > 4 { "" } else { layer };
    let place = match numbered {
        true => format!("{list}_{}", parts[2]),
        false => format!("{list}{layer}"),
    };
    parts.splice(0..3, [place.as_str()]);
    parts.join(".")
}

/// The reference's key of a parameter of the method.
fn method_key(loss: &str, path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match (loss, &parts[..]) {
        ("FitNet", ["regressor", rest @ ..]) => format!("loss_hint.{}", rest.join(".")),
        ("CC" | "CRD", _) => {
            let prefix = loss.to_lowercase();
            let path = path.trim_start_matches("embeds.");
            let path = path.trim_start_matches("embed_");
            path.replacen("student", &format!("{prefix}_embed_s"), 1)
                .replacen("teacher", &format!("{prefix}_embed_t"), 1)
        }
        // Three layers a block, the activation being one.
        ("FT", [network, stack, block, layer, name]) => {
            let block: usize = block.parse().expect("a number");
            let index = 3 * block + usize::from(*layer == "bn");
            format!("{network}.{stack}.{index}.{name}")
        }
        ("VID", ["predictors", spot, "log_scale"]) => format!("vid.{spot}.log_scale"),
        ("VID", ["predictors", spot, "convs", conv, name]) => {
            let conv: usize = conv.parse().expect("a number");
            format!("vid.{spot}.regressor.{}.{name}", 2 * conv)
        }
        _ => panic!("{path} of {loss}"),
    }
}

fn learner_key(case: &Case, student: &AnyNetwork, path: &str) -> String {
    let (part, path) = path.split_once('.').expect("a field of the learner");
    match part {
        "student" => format!("student.{}", student.pytorch_key(path)),
        _ => method_key(hyper(case, "loss").as_str().expect("a name"), path),
    }
}

/// The method with the case's parameters.
fn fill_method(case: &Case, loss: MethodLoss, device: &Device) -> MethodLoss {
    let name = hyper(case, "loss").as_str().expect("a name");
    let key = |path: &str| method_key(name, path);
    match loss {
        // The banks are filled apart: there are buffers beside them of which no case tells.
        MethodLoss::Crd(mut loss) => {
            let embed = |of: &'static str| move |path: &str| format!("crd_embed_{of}.{path}");
            loss.embed_student = fill_parameters(case, loss.embed_student, &[], embed("s"));
            loss.embed_teacher = fill_parameters(case, loss.embed_teacher, &[], embed("t"));
            let bank = |name: &str| RunningState::new(case.param(name, device));
            loss.memory_student = bank("crd.memory_v1");
            loss.memory_teacher = bank("crd.memory_v2");
            MethodLoss::Crd(loss)
        }
        loss => {
            let own = ["loss_hint", "cc_", "translator", "paraphraser", "vid"];
            fill_parameters(case, loss, &own, key)
        }
    }
}

/// The router with the case's parameters.
fn fill_router(case: &Case, router: Router) -> Router {
    let numbered = router.cuts.count() > 1;
    let key = |path: &str| router_key(path, numbered);
    let mut router = fill_parameters(case, router, &["policy", "hint", "anti_hint"], key);
    let net = &mut router.policy.net;
    // As the fixtures' notes say.
    if case.name.contains("_mix") {
        net.weight = net.weight.clone().map(|weight| {
            let weight = weight.inner() / 16.0;
            Tensor::from_inner(weight).require_grad()
        });
    }
    if hyper(case, "homo") == true {
        let bias = net.bias.take().expect("a bias");
        net.bias = Some(bias.map(|bias| {
            let bias = bias.inner();
            let places = Tensor::arange(0..bias.dims()[0] as i64, &bias.device());
            let even = places.remainder_scalar(2).equal_elem(0).float() * 10.0;
            Tensor::from_inner(bias + even).require_grad()
        }));
    }
    router
}

/// After which stages the reference cuts.
fn listed_cuts(case: &Case, maps: usize) -> Cuts {
    let layers = hyper(case, "layers").as_array().expect("a list");
    // Counted from the stem; -1 is the pooled feature, -2 the last map.
    let stages: Vec<usize> = layers[1..layers.len() - 1]
        .iter()
        .map(|layer| match layer.as_i64().expect("a stage") {
            -1 => maps,
            -2 => maps - 1,
            stage => stage as usize,
        })
        .collect();
    Cuts::new(stages.clone(), stages).expect("cuts")
}

fn sgd(decay: f64, momentum: f64) -> ModuleOptimizer {
    SgdConfig::new()
        .with_momentum(Some(MomentumConfig {
            momentum,
            dampening: 0.0,
            nesterov: false,
        }))
        .with_weight_decay(Some(WeightDecayConfig {
            penalty: decay as f32,
        }))
        .init()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    data.try_into_vec().expect("f32")
}

fn scalar(tensor: &Tensor<1>) -> f64 {
    f64::from(values(tensor.clone())[0])
}

/// Reads parameters, or their gradients (0 where there is none).
struct Read<'a>(Option<&'a Gradients>);

impl ReadParameter for Read<'_> {
    fn read<const D: usize>(&self, _key: &str, param: Tensor<D>) -> Option<Tensor<D>> {
        match self.0 {
            None => Some(param),
            Some(gradients) => {
                let zero = || param.clone().inner().zeros_like();
                Some(param.grad(gradients).unwrap_or_else(zero))
            }
        }
    }
}

/// Compares what is read of every parameter that the case lists: its norm and its first values.
fn assert_parameters<M: Module>(
    case: &Case,
    module: &M,
    key: impl Fn(&str) -> String,
    read: Read<'_>,
    expected: &Value,
    (index, tolerance): (usize, f64),
) {
    let all = expected.as_object().expect("parameters");
    let gradients = read.0.is_some();
    let norms = all.values().filter_map(|listed| listed["l2"].as_f64());
    // Biases before a batch norm have no gradient but rounding.
    let largest = norms.fold(0.0, f64::max);
    let floor = if gradients { 1e-6 * largest } else { 1e-6 };
    let mut seen = 0;
    visit_parameters(module, key, read, |key, values| {
        let Some(expected) = all.get(key) else {
            return;
        };
        seen += 1;
        let what = if gradients { "gradient" } else { "value" };
        let label = format!("{} {what} {key}, iteration {index}", case.name);
        let l2 = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        let scale = values
            .iter()
            .fold(0.0, |max: f64, v| max.max(f64::from(v.abs())));
        // The reference leaves out what no chosen sample reaches.
        let reference = expected["l2"].as_f64().unwrap_or(0.0);
        assert!(
            (l2.sqrt() - reference).abs() <= 2.0 * tolerance * reference + floor,
            "{label}: {} against {reference}",
            l2.sqrt()
        );
        let Some(first) = expected["first"].as_array() else {
            return;
        };
        let first: Vec<f64> = first.iter().filter_map(Value::as_f64).collect();
        for (own, other) in values.iter().zip(&first) {
            assert!(
                (f64::from(*own) - other).abs() <= tolerance * scale + floor,
                "{label}: {own} against {other}, {:.1e} of the largest",
                (f64::from(*own) - other).abs() / scale
            );
        }
    });
    assert_eq!(seen, all.len(), "{}", case.name);
}

/// The gates of the method, with the references' exception: factor transfer keeps its whole batch
/// when nothing is chosen.
fn gates(case: &Case, choices: &Choices, spots: usize) -> Vec<Gate> {
    let gates = choices.gates(spots);
    let nothing = scalar(&gates[0].share().expect("a choice")) == 0.0;
    match hyper(case, "loss") == "FT" && nothing {
        true => vec![Gate::all()],
        false => gates,
    }
}

/// The method's own term.
fn term(
    case: &Case,
    loss: &MethodLoss,
    (own, soft): (&Features, &Features),
    gates: &[Gate],
    iteration: usize,
) -> Tensor<1> {
    let MethodLoss::Crd(loss) = loss else {
        let step = Step::new(own, soft).with_gates(gates).scaled_by_share();
        return loss.forward(&step).expect("a term");
    };
    // Its negatives are given.
    let device = soft.logits.device();
    let indices = case.integers(&format!("index{iteration}"), &device);
    let contrast = case.contrast(iteration, number(case, "n_data") as usize, &device);
    let (student, teacher) = (own.pooled.clone(), soft.pooled.clone());
    let term = loss.forward_gated(student, teacher, indices, contrast, &gates[0]);
    term * gates[0].share().expect("a choice")
}

/// Takes away the gradients of adapters whose spots have nothing chosen: the reference does not
/// compute them, so that its optimiser leaves these adapters alone; here they are 0, and momentum and
/// weight decay go on.
fn forget_unused(gradients: &mut GradientsParams, loss: &MethodLoss, gates: &[Gate]) {
    struct Forget<'a>(&'a mut GradientsParams);

    impl ModuleVisitor for Forget<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.remove::<D>(param.id);
        }
    }

    for (spot, gate) in gates.iter().enumerate() {
        if gate.share().is_none_or(|share| scalar(&share) > 0.0) {
            continue;
        }
        match loss {
            MethodLoss::Vid(loss) => loss.predictors[spot].visit(&mut Forget(gradients)),
            loss => loss.visit(&mut Forget(gradients)),
        }
    }
}

struct Training {
    learner: Learner,
    router: Router,
    teacher: AnyNetwork,
    optimizers: [ModuleOptimizer; 2],
}

impl Training {
    fn new(case: &Case, plain: &Device) -> Self {
        let device = plain.clone().autodiff();
        let teacher = network(case, "teacher", plain).valid();
        let student = network(case, "student", &device);
        let shapes = [&student, &teacher].map(|network| network.feature_shapes(INPUT, plain));
        let method = method(case);

        // Where the method acts is where the reference cuts.
        let [own, other] = &shapes;
        let cuts = Cuts::at(method.place(), own, other).expect("cuts");
        assert_eq!(cuts, listed_cuts(case, own.maps.len()), "{}", case.name);
        let router = RouterConfig::new()
            .with_temperature(number(case, "gumbel_temperature"))
            .with_gamma(number(case, "gamma"))
            .with_anti(reversed(case))
            .init(cuts, own, other, &device)
            .expect("a router");

        let [own, other] = shapes.map(shapes_for_losses);
        let samples = case.hyper("n_data").unwrap_or(8.0) as usize;
        let setup = Setup::new(own, other).with_samples(samples);
        let loss = method.init(&setup, &device).expect("a loss");
        Self {
            learner: Learner {
                method: fill_method(case, loss, &device),
                student,
            },
            router: fill_router(case, router),
            teacher,
            optimizers: ["weight_decay", "agent_weight_decay"]
                .map(|decay| sgd(number(case, decay), number(case, "momentum"))),
        }
    }

    fn step(mut self, case: &Case, index: usize, within: &Within, plain: &Device) -> Self {
        let iteration = &case.manifest["iterations"][index];
        let close = |what: &str, actual: Vec<f32>, tolerance| {
            let what = format!("{what}{index}");
            let label = format!("{} {what}", case.name);
            assert_close(&label, &actual, case.expected(&what), tolerance);
        };
        let is = |name: &str, actual: &Tensor<1>| {
            let expected = iteration[name].as_f64().expect("a number");
            let label = format!("{} {name}{index}", case.name);
            assert_scalar(&label, scalar(actual), expected, within.values);
        };

        let images: Tensor<4> = case.input(&format!("x{index}"), plain);
        let labels = case.labels(&format!("target{index}"), plain);
        let soft = features_for_losses(self.teacher.features(images.clone()));
        let student = &self.learner.student;
        let own = features_for_losses(student.features(Tensor::from_inner(images.clone())));
        close("student_logits", values(own.logits.clone()), within.values);

        let logits = self
            .router
            .policy
            .forward(own.pooled.clone(), soft.pooled.clone());
        close("policy_logits", values(logits.clone()), within.values);
        let uniform: Tensor<3> = case.input(&format!("gumbel_u{index}"), plain);
        let choices = self.router.choose_from(logits, uniform);
        // 1 for the teacher, at even places; what is distilled is the opposite in reverse.
        let actions = case.expected(&format!("action{index}")).chunks(2);
        let chosen = actions.map(|action| action[usize::from(reversed(case))].round());
        let distilled = values(choices.distilled().clone());
        assert_eq!(distilled, chosen.collect::<Vec<_>>(), "{}", case.name);

        let networks = (student, &self.teacher);
        let grafted = self.router.grafted(&choices, networks, images, Some(&soft));
        close("graft_logits", values(grafted.clone()), within.values);
        let labels = Tensor::from_inner(labels);
        let ce = cross_entropy(own.logits.clone(), labels.clone());
        is("loss_ori_cls", &ce);
        is("graft_ce", &cross_entropy(grafted.clone(), labels.clone()));
        let objective = self.router.objective(&choices, grafted, labels, ce.clone());
        is("loss_cls_final", &objective);

        let last = choices.last();
        let divergence = KdLossConfig::new()
            .with_temperature(number(case, "T"))
            .init()
            .forward_gated(own.logits.clone(), soft.logits.clone(), &last)
            * last.share().expect("a choice")
            * number(case, "alpha");
        is("loss_div_weighted", &divergence);
        let stages = own.maps.len() - 1;
        let gates = gates(case, &choices, self.learner.method.spots(stages));
        let term = term(case, &self.learner.method, (&own, &soft), &gates, index);
        is("loss_kd_unweighted", &term);
        let total = ce + term * number(case, "beta") + divergence;
        is("loss_total", &total);

        // One backward pass for both.
        let mut gradients = (total + objective).backward();
        let numbered = self.router.cuts.count() > 1;
        let of_router = |path: &str| router_key(path, numbered);
        let network = self.learner.student.clone();
        let of_learner = |path: &str| learner_key(case, &network, path);
        let [main, agent] = [&iteration["main_step"], &iteration["agent_step"]];
        let read = || Read(Some(&gradients));
        let tolerance = (index, within.gradients);
        assert_parameters(
            case,
            &self.router,
            of_router,
            read(),
            &agent["grads"],
            tolerance,
        );
        assert_parameters(
            case,
            &self.learner,
            of_learner,
            read(),
            &main["grads"],
            tolerance,
        );

        let of_agent = GradientsParams::from_module(&mut gradients, &self.router);
        let rate = number(case, "agent_lr");
        self.router = self.optimizers[1].step(rate, self.router, of_agent);
        let mut of_main = GradientsParams::from_module(&mut gradients, &self.learner);
        forget_unused(&mut of_main, &self.learner.method, &gates);
        let rate = number(case, "lr");
        self.learner = self.optimizers[0].step(rate, self.learner, of_main);
        let tolerance = (index, within.parameters);
        let after = |step: &Value| step["params_after"].clone();
        assert_parameters(
            case,
            &self.router,
            of_router,
            Read(None),
            &after(agent),
            tolerance,
        );
        assert_parameters(
            case,
            &self.learner,
            of_learner,
            Read(None),
            &after(main),
            tolerance,
        );
        self
    }

    /// Running statistics and banks after both iterations.
    fn check_buffers(&self, case: &Case, tolerance: f64) {
        let tolerance = (1, tolerance);
        let mut listed = case.manifest["after"].clone();
        let listed = listed.as_object_mut().expect("buffers");
        let others = ["num_batches_tracked", "crd.params"];
        listed.retain(|key, _| !others.iter().any(|other| key.ends_with(other)));
        let (of_student, of_router): (serde_json::Map<_, _>, _) = std::mem::take(listed)
            .into_iter()
            .partition(|(key, _)| key.starts_with("student."));
        let student = &self.learner.student;
        let key = |path: &str| format!("student.{}", student.pytorch_key(path));
        let of_student = Value::Object(of_student);
        assert_parameters(case, student, key, Read(None), &of_student, tolerance);
        let numbered = self.router.cuts.count() > 1;
        let key = |path: &str| router_key(path, numbered);
        let of_router: serde_json::Map<_, _> = of_router;
        let of_router = Value::Object(of_router);
        assert_parameters(case, &self.router, key, Read(None), &of_router, tolerance);
        if let MethodLoss::Crd(loss) = &self.learner.method {
            for (name, bank) in [("v1", &loss.memory_student), ("v2", &loss.memory_teacher)] {
                let name = format!("after/memory_{name}");
                let found = values(bank.value().inner());
                assert_close(&case.name, &found, case.expected(&name), tolerance.1);
            }
        }
    }
}

/// Both iterations of a case, each within its tolerances.
pub fn check(case: &str, device: &Device, within: &[Within; 2]) {
    let case = Case::load("steps", case);
    let mut training = Training::new(&case, device);
    for (index, within) in within.iter().enumerate() {
        training = training.step(&case, index, within, device);
    }
    training.check_buffers(&case, within[1].parameters);
}
