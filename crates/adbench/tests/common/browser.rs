//! A headless Chromium, driven over its DevTools protocol. Shared by the tests of all pages.
#![allow(dead_code)] // each test uses its part

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

pub(crate) struct Browser {
    process: Child,
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    last: u64,
    events: Vec<Value>,
    /// Its profile, removed with it.
    _profile: tempfile::TempDir,
}

/// Chromium's or Chrome's program in the search path.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path).flat_map(|p| names.map(|n| p.join(n))).find(|p| p.is_file())
}

impl Browser {
    /// A browser with an empty page; `None` when none is installed.
    pub(crate) fn start() -> Option<Self> {
        let program = program()?;
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new(program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        let address = lines.find_map(|l| l.strip_prefix("DevTools listening on ").map(str::to_owned)).unwrap();
        // The pipe must be emptied, or the browser stops when it is full.
        std::thread::spawn(move || lines.for_each(drop));
        let host = address.trim_start_matches("ws://").split('/').next().unwrap();
        let stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let (socket, _) = tungstenite::client(&address, stream).unwrap();
        let (session, events) = (None, Vec::new());
        let mut browser = Self { process, socket, session, last: 0, events, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        browser.session = browser.call("Target.attachToTarget", attach)["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    fn receive(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.socket.send(Message::text(message.to_string())).unwrap();
        loop {
            let mut answer = self.receive();
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
            self.events.push(answer);
        }
    }

    /// Opens a file and waits until it is loaded.
    pub(crate) fn open(&mut self, path: &Path) {
        self.events.clear();
        self.call("Page.navigate", json!({ "url": format!("file://{}", path.display()) }));
        while !self.events.iter().any(|e| e["method"] == "Page.loadEventFired") {
            let event = self.receive();
            self.events.push(event);
        }
    }

    /// The value of an expression; that of a promise once it is kept.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call("Runtime.evaluate", parameters);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Presses and releases a key, such as `Enter` with the text it types.
    pub(crate) fn press(&mut self, key: &str, text: &str) {
        let code = match key {
            "Enter" => 13,
            " " => 32,
            "ArrowRight" => 39,
            "Escape" => 27,
            "Tab" => 9,
            _ => 0,
        };
        let with =
            |kind: &str, text: &str| json!({ "type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code });
        let down = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        self.call("Input.dispatchKeyEvent", with(down, text));
        self.call("Input.dispatchKeyEvent", with("keyUp", ""));
    }

    /// Sets the size of the window, px.
    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Moves the pointer to (x, y) on the screen.
    pub(crate) fn point(&mut self, (x, y): (f64, f64)) {
        self.call("Input.dispatchMouseEvent", json!({ "type": "mouseMoved", "x": x, "y": y }));
    }

    /// Sets features that media queries ask for, such as `prefers-reduced-motion`; others are as they were first.
    pub(crate) fn media(&mut self, features: &[(&str, &str)]) {
        let features: Vec<Value> = features.iter().map(|(n, v)| json!({ "name": n, "value": v })).collect();
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Errors and warnings that the page logged, and exceptions it threw, since it was opened.
    pub(crate) fn errors(&mut self) -> Vec<String> {
        // Whatever came before this answer has arrived with it.
        self.evaluate("0");
        let is_error = |e: &&Value| match e["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                ["error", "warning", "assert"].iter().any(|t| e["params"]["type"] == *t)
            }
            Some("Log.entryAdded") => ["error", "warning"].iter().any(|l| e["params"]["entry"]["level"] == *l),
            _ => false,
        };
        self.events.iter().filter(is_error).map(Value::to_string).collect()
    }

    /// Addresses that the page asked for since it was opened, data inside the page left out.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        self.evaluate("0");
        let sent = self.events.iter().filter(|e| e["method"] == "Network.requestWillBeSent");
        let addresses = sent.filter_map(|e| e["params"]["request"]["url"].as_str());
        addresses.filter(|a| !a.starts_with("data:")).map(str::to_owned).collect()
    }

    /// A PNG of the whole page at this width under a color scheme.
    pub(crate) fn screenshot(&mut self, scheme: &str, width: u32) -> Vec<u8> {
        self.media(&[("prefers-color-scheme", scheme)]);
        let metrics =
            |height: u64| json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", metrics(900));
        let height = self.evaluate("document.documentElement.scrollHeight").as_u64().unwrap().min(4000);
        self.call("Emulation.setDeviceMetricsOverride", metrics(height));
        let decode = "i => { i.loading = 'eager'; return i.decode() }";
        self.evaluate(&format!(
            "Promise.all([...document.querySelectorAll('#cards img')].map({decode})).then(() => 0)"
        ));
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A browser that is told to close takes its child processes along; killing is for one that does not answer.
        self.session = None;
        let closing = json!({ "id": 0, "method": "Browser.close" });
        if self.socket.send(Message::text(closing.to_string())).is_ok() {
            for _ in 0..100 {
                if matches!(self.process.try_wait(), Ok(Some(_))) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
