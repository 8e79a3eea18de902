//! Colors are for terminals.

use std::process::Command;

use crate::common::kd;

const ESCAPE: u8 = 0x1b;

/// The help used to be colored whatever it was printed to.
#[test]
fn report_f18_help_in_a_pipe_has_no_colors() {
    for args in [&["--help"][..], &["distill", "--help"], &["help", "sweep"]] {
        let print = |name: &str, value: &str| {
            let output = kd()
                .args(args)
                .env_remove("NO_COLOR")
                .env(name, value)
                .output();
            let output = output.expect("kd runs");
            assert!(output.status.success());
            output.stdout
        };
        let plain = print("TERM", "xterm");
        assert!(!plain.contains(&ESCAPE), "{args:?}");
        assert_eq!(print("NO_COLOR", "1"), plain);
        // Unless somebody insists.
        assert!(print("CLICOLOR_FORCE", "1").contains(&ESCAPE), "{args:?}");
    }
}

/// On a terminal, which `script` makes, colors are there but for `NO_COLOR`.
#[cfg(target_os = "linux")]
#[allow(clippy::print_stderr)]
#[test]
fn report_f18_help_on_a_terminal_has_colors_but_for_no_color() {
    let print = |no_color: Option<&str>| {
        let mut script = Command::new("script");
        let command = format!("{} --help", env!("CARGO_BIN_EXE_kd"));
        script.args(["-qec", &command, "/dev/null"]);
        script
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE");
        if let Some(value) = no_color {
            script.env("NO_COLOR", value);
        }
        script.output()
    };
    let Ok(colored) = print(None) else {
        eprintln!("SKIPPED: there is no `script` to make a terminal");
        return;
    };
    assert!(colored.stdout.contains(&ESCAPE));
    let plain = print(Some("1")).expect("script runs").stdout;
    assert!(!plain.contains(&ESCAPE));
    assert!(String::from_utf8_lossy(&plain).contains("Knowledge distillation"));
}
