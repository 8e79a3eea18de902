//! The terminal, which is left as it was found.

use std::fs::File;
use std::io::{Result, Write, stdout};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TermionBackend;
use ratatui::termion::event::Key as Pressed;
use ratatui::termion::input::TermRead;
use ratatui::termion::raw::{IntoRawMode, RawTerminal};
use ratatui::termion::screen::{ToAlternateScreen, ToMainScreen};
use ratatui::termion::{cursor, get_tty};

use super::app::App;
use super::keys::Key;
use super::view::{self, Theme};

/// Between two looks at the size of the terminal and at signals.
const TICK: Duration = Duration::from_millis(200);

/// Shows a folder until a key or `stops` ends it, and reads it again at each interval.
pub fn watch(
    path: &Path,
    interval: Duration,
    colors: bool,
    stops: impl Fn() -> bool,
) -> Result<()> {
    let theme = if colors { Theme::Colors } else { Theme::Plain };
    let mut app = App::new(path);
    let screen = Screen::open()?;
    let mut terminal = Terminal::new(TermionBackend::new(stdout()))?;
    let keys = keys(get_tty()?);
    let mut read = Instant::now();
    while !stops() {
        // It looks at the size of the terminal first.
        terminal.draw(|frame| view::draw(frame, &app, theme))?;
        match keys.recv_timeout(TICK) {
            Ok(key) => {
                if app.press(key) {
                    break;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            // There is nobody to press a key any more.
            Err(RecvTimeoutError::Disconnected) => sleep(TICK),
        }
        if read.elapsed() >= interval {
            app.refresh();
            read = Instant::now();
        }
    }
    drop(screen);
    Ok(())
}

/// The terminal's other screen, with keys as they are pressed; given back when it is dropped and before
/// the message of a panic.
struct Screen(Arc<RawTerminal<File>>);

impl Screen {
    fn open() -> Result<Self> {
        let terminal = Arc::new(get_tty()?.into_raw_mode()?);
        let screen = Self(terminal.clone());
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave(&terminal);
            hook(panic);
        }));
        write!(stdout(), "{ToAlternateScreen}{}", cursor::Hide)?;
        stdout().flush()?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            leave(&self.0);
        }
    }
}

fn leave(terminal: &RawTerminal<File>) {
    let _ = write!(stdout(), "{}{ToMainScreen}", cursor::Show);
    let _ = stdout().flush();
    let _ = terminal.suspend_raw_mode();
}

/// Keys, as they are pressed.
fn keys(terminal: File) -> Receiver<Key> {
    let (sender, receiver) = channel();
    spawn(move || {
        let pressed = terminal.keys().map_while(Result::ok);
        for key in pressed.filter_map(meaning) {
            if sender.send(key).is_err() {
                break;
            }
        }
    });
    receiver
}

fn meaning(key: Pressed) -> Option<Key> {
    Some(match key {
        Pressed::Char('q') | Pressed::Ctrl('c') => Key::Quit,
        Pressed::Char('\t' | 'l') | Pressed::Right => Key::Next,
        Pressed::BackTab | Pressed::Char('h') | Pressed::Left => Key::Previous,
        Pressed::Char(digit) if digit.is_ascii_digit() => Key::Panel(digit as usize - '0' as usize),
        Pressed::Up | Pressed::Char('k') => Key::Up,
        Pressed::Down | Pressed::Char('j') => Key::Down,
        Pressed::PageUp => Key::PageUp,
        Pressed::PageDown => Key::PageDown,
        Pressed::Home => Key::First,
        Pressed::End => Key::Last,
        Pressed::Char('\n' | '\r') => Key::Open,
        Pressed::Esc | Pressed::Backspace => Key::Back,
        _ => return None,
    })
}
