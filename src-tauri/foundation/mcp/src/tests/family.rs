//! No process outlives its session or the app, whatever it does to get away.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::*;

/// The example `host`, which cargo builds along with the tests: an app with the `__guard` mode.
fn host_path() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let path = exe.parent().unwrap().parent().unwrap().join("examples/host");
    assert!(path.is_file(), "{} is missing: cargo test builds it", path.display());
    path
}

fn is_running(pid: u32) -> bool {
    // A zombie has ended; whether its parent has noticed is the parent's matter.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z')))
}

fn read_pid(path: &Path) -> u32 {
    std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

async fn pid_in(path: &Path) -> u32 {
    eventually("the grandchild", || path.is_file()).await;
    let pid = read_pid(path);
    assert!(is_running(pid));
    pid
}

fn stubborn(folder: &Path) -> Behaviour {
    Behaviour { grandchild: Some(folder.join("pid")), ignore_eof: true, ..Behaviour::default() }
}

async fn guarded(behaviour: &Behaviour, folder: &Path) -> Session {
    let context = context(folder).with_guard(host_path());
    let config = fake_config("fake", behaviour);
    let secrets = ServerSecrets::default();
    Session::start(&config, &secrets, &context, Recorder::new(None), Vault::in_memory()).await.unwrap()
}

async fn server_pid(session: &Session) -> u32 {
    let output = call(session, "environment", "{}").await.unwrap();
    u32::try_from(Json::parse(text_of(&output)).unwrap().get("pid").unwrap().as_i64().unwrap()).unwrap()
}

#[tokio::test]
async fn a_shutdown_ends_the_server_and_a_grandchild_that_had_left_its_family() {
    let folder = tempfile::tempdir().unwrap();
    let session = guarded(&stubborn(folder.path()), folder.path()).await;
    let grandchild = pid_in(&folder.path().join("pid")).await;
    let server = server_pid(&session).await;
    assert!(is_running(server));
    let began = Instant::now();
    session.shutdown().await;
    assert!(!is_running(server) && !is_running(grandchild));
    assert!(began.elapsed() < Duration::from_secs(12));
}

#[tokio::test]
async fn dropping_the_last_session_ends_its_processes() {
    let folder = tempfile::tempdir().unwrap();
    let session = guarded(&stubborn(folder.path()), folder.path()).await;
    let grandchild = pid_in(&folder.path().join("pid")).await;
    let server = server_pid(&session).await;
    drop(session);
    eventually("the end of the family", || !is_running(server) && !is_running(grandchild)).await;
}

#[tokio::test]
async fn a_server_that_crashes_leaves_no_grandchild() {
    let folder = tempfile::tempdir().unwrap();
    let session = guarded(&stubborn(folder.path()), folder.path()).await;
    let grandchild = pid_in(&folder.path().join("pid")).await;
    let error = call(&session, "crash", r#"{"code":5}"#).await.unwrap_err();
    assert!(matches!(error, McpError::Crashed { .. }), "{error:?}");
    eventually("the end of the grandchild", || !is_running(grandchild)).await;
    session.shutdown().await;
}

#[tokio::test]
async fn a_start_that_fails_leaves_no_grandchild() {
    let folder = tempfile::tempdir().unwrap();
    let behaviour = Behaviour { crash_at_start: Some(4), ..stubborn(folder.path()) };
    let context = context(folder.path()).with_guard(host_path());
    let config = fake_config("fake", &behaviour);
    let secrets = ServerSecrets::default();
    let started = Session::start(&config, &secrets, &context, Recorder::new(None), Vault::in_memory()).await;
    let error = started.unwrap_err();
    assert_eq!(error.to_string(), "\"fake\" ended while it was starting (exit code 4)");
    let path = folder.path().join("pid");
    if path.is_file() {
        let grandchild = read_pid(&path);
        eventually("the end of the grandchild", || !is_running(grandchild)).await;
    }
}

#[tokio::test]
async fn an_app_that_is_killed_leaves_no_process_behind() {
    let folder = tempfile::tempdir().unwrap();
    let behaviour = stubborn(folder.path());
    let mut app = Command::new(host_path())
        .arg(fake_server_path().unwrap())
        .args(behaviour.to_args())
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let read = BufReader::new(app.stdout.take().unwrap()).read_line(&mut line);
    let told = Json::parse(line.trim()).unwrap_or_else(|error| panic!("{read:?} {line:?} {error}"));
    let server = u32::try_from(told.get("pid").unwrap().as_i64().unwrap()).unwrap();
    let grandchild = pid_in(&folder.path().join("pid")).await;
    let guard = parent_of(server);
    assert!(is_running(server) && is_running(guard));
    assert_eq!(parent_of(guard), app.id());
    // SIGKILL: the app cannot do anything about it.
    app.kill().unwrap();
    app.wait().unwrap();
    let gone = || [server, grandchild, guard].into_iter().all(|pid| !is_running(pid));
    eventually("the end of the family", gone).await;
}

fn parent_of(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn without_a_guard_a_shutdown_still_ends_the_server_and_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("sleep 1000 & echo $! > {}/pid; exec \"$0\" \"$@\"", folder.path().display());
    let mut args = vec!["-c".to_owned(), script, fake_server_path().unwrap().to_str().unwrap().to_owned()];
    args.extend(Behaviour { ignore_eof: true, ..Behaviour::default() }.to_args());
    let config = stdio_config("fake", "sh", args);
    let session = start(&config, folder.path(), &Recorder::new(None)).await.unwrap();
    let (server, sleeper) = (server_pid(&session).await, read_pid(&folder.path().join("pid")));
    session.shutdown().await;
    eventually("the end of the group", || !is_running(server) && !is_running(sleeper)).await;
}

#[test]
fn the_guard_passes_on_exit_codes_and_says_what_is_wrong() {
    let guard = |args: &[&str]| Command::new(host_path()).arg("__guard").args(args).output().unwrap();
    let pid = std::process::id().to_string();
    assert_eq!(guard(&[&pid, "--", "sh", "-c", "exit 42"]).status.code(), Some(42));
    assert_eq!(guard(&[&pid, "--", "sh", "-c", "kill -9 $$"]).status.code(), Some(137));
    let missing = guard(&[&pid, "--", "/no/such/program"]);
    assert_eq!(missing.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/no/such/program"));
    assert_eq!(guard(&["nonsense"]).status.code(), Some(127));
}
