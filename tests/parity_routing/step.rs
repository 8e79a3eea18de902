//! A whole spot-adaptive step against the reference values, for two iterations: policy logits,
//! choices, the grafted network's logits, the routing objective, every part of the loss, gradients,
//! and parameters after the optimizer.

use burn::module::{Module, ModuleVisitor, Param, RunningState};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use kd_core::{Frozen, Network};
use kd_data::Batch;
use kd_losses::logits::KdLossConfig;
use kd_losses::{Gate, Method, MethodLoss, cross_entropy};
use kd_models::{AnyNetwork, Architecture, PytorchKeys, Repository};
use kd_spot::{Cuts, Router, RoutingConfig, RoutingMode};
use kd_tests::{Case, Read, assert_close, assert_scalar, fill_parameters, visit_parameters};
use kd_train::{DataInfo, DistillTask, FrozenTeacher, OptimizerConfig, OptimizerName, TaskConfig};
use serde_json::{Value, json};

use super::reference::{Reference, ReferenceConfig, nothing_chosen};

const INPUT: [usize; 3] = [3, 32, 32];

/// Where in the list of terms the method is.
const METHOD: usize = 1;

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
    case.network(name, architecture, device)
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
    // A vector's adapter is a bare layer here and a module with a layer there.
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

/// The reference's key of a parameter of the whole model.
fn model_key(case: &Case, task: &Task, path: &str) -> String {
    if let Some(path) = path.strip_prefix("student.") {
        return format!("student.{}", task.model.student.pytorch_key(path));
    }
    if let Some(path) = path.strip_prefix("routing.router.") {
        let routing = task.model.routing.as_ref().expect("routing");
        return router_key(path, routing.cuts.count() > 1);
    }
    let of_method = format!("losses.{METHOD}.loss.loss.");
    let path = path.strip_prefix(&of_method).expect("a part of the model");
    method_key(hyper(case, "loss").as_str().expect("a name"), path)
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

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    data.try_into_vec().expect("f32")
}

fn scalar(tensor: &Tensor<1>) -> f64 {
    f64::from(values(tensor.clone())[0])
}

/// Compares what is read of every parameter that the case lists: its norm and its first values.
fn assert_parameters(
    case: &Case,
    task: &Task,
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
    let key = |path: &str| model_key(case, task, path);
    visit_parameters(&task.model, key, read, |key, values| {
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
fn gates(case: &Case, task: &Task, chosen: &kd_spot::Gates) -> Vec<Gate> {
    let routing = task.model.routing.as_ref().expect("routing");
    let spots = task.model.losses[METHOD].spots(task.model.student.stages());
    let gates = chosen.at(&routing.cuts, &spots);
    match hyper(case, "loss") == "FT" && nothing_chosen(&gates[0]) {
        true => vec![Gate::all()],
        false => gates,
    }
}

/// Takes away the gradients of adapters whose spots have nothing chosen: the reference does not
/// compute them, so that its optimizer leaves these adapters alone; here they are 0, and momentum and
/// weight decay go on.
fn forget_unused(gradients: &mut GradientsParams, loss: &MethodLoss, gates: &[Gate]) {
    struct Forget<'a>(&'a mut GradientsParams);

    impl ModuleVisitor for Forget<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.remove::<D>(param.id);
        }
    }

    for (spot, gate) in gates.iter().enumerate() {
        if !nothing_chosen(gate) {
            continue;
        }
        match loss {
            MethodLoss::Vid(loss) => loss.predictors[spot].visit(&mut Forget(gradients)),
            loss => loss.visit(&mut Forget(gradients)),
        }
    }
}

type Task = DistillTask<AnyNetwork, AnyNetwork, Reference>;

/// The task of a case, with its parameters.
fn task(case: &Case, plain: &Device) -> Task {
    let device = plain.clone().autodiff();
    let teacher = network(case, "teacher", plain);
    let student = network(case, "student", &device);
    let stages = student.stages();
    let config = TaskConfig::<ReferenceConfig>::new()
        .with_term(Method::by_name("ce").expect("a method"), 1.0)
        .with_term(method(case), number(case, "beta"))
        .with_term(
            Method::Kd(KdLossConfig::new().with_temperature(number(case, "T"))),
            number(case, "alpha"),
        )
        .with_routing(RoutingConfig {
            temperature: case.hyper("gumbel_temperature"),
            gamma: case.hyper("gamma"),
            lr: case.hyper("agent_lr"),
            weight_decay: case.hyper("agent_weight_decay"),
            ..RoutingConfig::new(match reversed(case) {
                true => RoutingMode::Anti,
                false => RoutingMode::Adaptive,
            })
        })
        .with_optimizer(OptimizerConfig {
            lr: case.hyper("lr"),
            momentum: case.hyper("momentum"),
            weight_decay: case.hyper("weight_decay"),
            ..OptimizerConfig::new(OptimizerName::Sgd)
        });
    let samples = case.hyper("n_data").unwrap_or(8.0) as usize;
    let data = DataInfo {
        input: INPUT,
        labels: vec![0; samples],
        batch_size: 8,
    };
    let teacher = FrozenTeacher::new("teacher", &teacher);
    let task = config.init(student, Some(teacher), &data, &device);
    let mut task = task.unwrap_or_else(|error| panic!("{}: {error}", case.name));

    let loss = &mut task.model.losses[METHOD].loss;
    loss.loss = fill_method(case, loss.loss.clone(), &device);
    let routing = task.model.routing.as_mut().expect("routing");
    // Where the method acts is where the reference cuts.
    assert_eq!(routing.cuts, listed_cuts(case, stages + 1), "{}", case.name);
    let router = routing.router.take().expect("a router");
    routing.router = Some(fill_router(case, router));
    task
}

fn step(mut task: Task, case: &Case, index: usize, within: &Within, plain: &Device) -> Task {
    let iteration = &case.manifest["iterations"][index];
    let close = |what: &str, actual: Vec<f32>, tolerance| {
        let what = format!("{what}{index}");
        let label = format!("{} {what}", case.name);
        assert_close(&label, &actual, case.expected(&what), tolerance);
    };
    let is = |name: &str, actual: &Tensor<1>, weight: f64| {
        let expected = iteration[name].as_f64().expect("a number");
        let label = format!("{} {name}{index}", case.name);
        assert_scalar(&label, scalar(actual) * weight, expected, within.values);
    };

    let images: Tensor<4> = case.input(&format!("x{index}"), plain);
    let labels = case.labels(&format!("target{index}"), plain);
    let mut batch = Batch::new(Tensor::from_inner(images), Tensor::from_inner(labels));
    if let MethodLoss::Crd(_) = task.model.losses[METHOD].loss.loss {
        batch.indices = case.integers(&format!("index{index}"), plain);
        let contrast = case.contrast(index, number(case, "n_data") as usize, plain);
        task.model.losses[METHOD].loss.contrast = Frozen(Some(contrast));
    }

    let own = task.model.student_features(&batch);
    let soft = task.model.teacher_features(&batch).expect("a teacher");
    close("student_logits", values(own.logits.clone()), within.values);
    let routing = task.model.routing.as_ref().expect("routing");
    let router = routing.router.as_ref().expect("a router");
    let logits = router
        .policy
        .forward(own.pooled.clone(), soft.pooled.clone());
    close("policy_logits", values(logits.clone()), within.values);
    let uniform: Tensor<3> = case.input(&format!("gumbel_u{index}"), plain);
    let chosen = router.choose_from(logits, uniform);
    // 1 for the teacher, at even places; what is distilled is the opposite in reverse.
    let actions = case.expected(&format!("action{index}")).chunks(2);
    let expected = actions.map(|action| action[usize::from(reversed(case))].round());
    let distilled = values(chosen.distilled().clone());
    assert_eq!(distilled, expected.collect::<Vec<_>>(), "{}", case.name);

    let gates = gates(case, &task, &chosen);
    let output = task
        .model
        .forward_with_gates(&batch, (own, Some(soft)), Some(chosen), None);
    let grafted = output.grafted.expect("a grafted network");
    close("graft_logits", values(grafted.clone()), within.values);
    let losses = output.losses;
    let [(_, ce), (_, term), (_, divergence)] = &losses.terms[..] else {
        panic!("{}: {:?}", case.name, losses.terms);
    };
    is("loss_ori_cls", ce, 1.0);
    is("graft_ce", &cross_entropy(grafted, batch.labels), 1.0);
    let objective = losses.routing.as_ref().expect("a routing objective");
    is("loss_cls_final", objective, 1.0);
    is("loss_div_weighted", divergence, number(case, "alpha"));
    is("loss_kd_unweighted", term, 1.0);
    is("loss_total", &losses.total, 1.0);

    // One backward pass and one optimizer for all.
    let gradients = losses.root().backward();
    let [main, agent] = [&iteration["main_step"], &iteration["agent_step"]];
    for step in [agent, main] {
        let read = Read(Some(&gradients));
        let tolerance = (index, within.gradients);
        assert_parameters(case, &task, read, &step["grads"], tolerance);
    }
    let mut gradients = GradientsParams::from_grads(gradients, &task.model);
    let loss = &task.model.losses[METHOD].loss;
    forget_unused(&mut gradients, &loss.loss, &gates);
    let task = task.update(gradients);
    for step in [agent, main] {
        let tolerance = (index, within.parameters);
        assert_parameters(case, &task, Read(None), &step["params_after"], tolerance);
    }
    task
}

/// Running statistics and banks after both iterations.
fn check_buffers(case: &Case, task: &Task, tolerance: f64) {
    let mut listed = case.manifest["after"].clone();
    let entries = listed.as_object_mut().expect("buffers");
    let others = ["num_batches_tracked", "crd.params"];
    entries.retain(|key, _| !others.iter().any(|other| key.ends_with(other)));
    assert_parameters(case, task, Read(None), &listed, (1, tolerance));
    if let MethodLoss::Crd(loss) = &task.model.losses[METHOD].loss.loss {
        for (name, bank) in [("v1", &loss.memory_student), ("v2", &loss.memory_teacher)] {
            let name = format!("after/memory_{name}");
            let found = values(bank.value().inner());
            assert_close(&case.name, &found, case.expected(&name), tolerance);
        }
    }
}

/// Both iterations of a case, each within its tolerances.
pub fn check(case: &str, device: &Device, within: &[Within; 2]) {
    let case = Case::load("steps", case);
    let mut task = task(&case, device);
    for (index, within) in within.iter().enumerate() {
        task = step(task, &case, index, within, device);
    }
    check_buffers(&case, &task, within[1].parameters);
}
