//! The way of a person who brings traces in from files and takes them out again: what was understood is shown first, what
//! is refused has its line and reason, an import is ended and found again, an export names what it cannot hold.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use thirtyfour::{By, Key};

use super::page::Page;
use super::{Open, open_browser, open_window};
use crate::harness::Desk;

/// A row whose answer has text, reasoning and a call: ShareGPT cannot hold that.
fn with_call(task: &str) -> Value {
    json!({"messages": [
        {"role": "user", "content": task},
        {"role": "assistant", "content": "I look.", "reasoning_content": "Where?", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":\"home\"}"}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "name": "look", "content": "A kettle."},
        {"role": "assistant", "content": "A kettle."},
    ]})
}

/// Three rows with a broken line between them.
fn rows() -> String {
    let mut rows = String::new();
    writeln!(rows, "{}", with_call("Find the kettle")).unwrap();
    rows.push_str("{\"messages\": [{\"role\": \"user\", \"content\": \n");
    writeln!(rows, "{}", with_call("Find the pot")).unwrap();
    rows
}

/// So many rows that an import can be seen at work, and is not over before it is ended.
const MANY: u32 = 30_000;

/// The rows.
fn many_rows() -> String {
    let words = "The kettle stands on the shelf beside the pot. ".repeat(30);
    (0..MANY).fold(String::new(), |mut rows, number| {
        let row = json!({"messages": [
            {"role": "user", "content": format!("Row {number}")},
            {"role": "assistant", "content": words},
        ]});
        writeln!(rows, "{row}").unwrap();
        rows
    })
}

async fn by_its_path(page: &Page<'_>, folder: &Path) -> Result<()> {
    page.click("import-open").await?;
    page.picture("window", "files-1-import").await?;
    page.fill("import-path", &folder.display().to_string()).await?;
    page.click("import-look").await?;
    page.see_text("import-preview-row", "rows.jsonl").await?;
    page.see_text("import-preview-row", "Find the kettle").await?;
    page.see_text("import-preview-refused", "Line 2").await?;
    page.see_text("import-preview-row", "Not recognised").await?;
    page.see_text("import-go", "Import 2 traces").await?;
    page.click("import-go").await?;
    page.see_text("import-report-count", "2 traces in the workspace, 2 refused.").await?;
    page.see_text("import-refusal", "Line 2:").await?;
    page.picture("window", "files-3-report").await?;
    page.click("import-report-close").await?;
    page.gone("import-report").await?;
    page.see_text("review-count", "2 traces").await
}

/// What the page hears of a drop, with a file that script made: no driver can let go of a file from outside of the window.
async fn by_a_drop(open: &Open) -> Result<()> {
    const DROP: &str = "const data = new DataTransfer();
        data.items.add(new File([arguments[0]], 'dropped.jsonl', { type: '' }));
        for (const kind of ['dragenter', 'dragover', 'drop'])
            document.body.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));";
    let page = open.page()?;
    let text = with_call("Find the dropped ladle").to_string() + "\n";
    open.driver()?.execute(DROP, vec![Value::String(text)]).await?;
    page.see_text("import-preview-row", "Find the dropped ladle").await?;
    page.see_text("import-go", "Import 1 trace").await?;
    page.click("import-go").await?;
    page.see_text("toast", "1 trace imported").await
}

async fn out_again(open: &Open) -> Result<()> {
    let page = open.page()?;
    page.click("rail-review").await?;
    page.see_text("review-count", "3 traces").await?;
    let driver = open.driver()?;
    driver
        .action_chain()
        .key_down(Key::Control)
        .key_down(Key::Shift)
        .send_keys("a")
        .key_up(Key::Shift)
        .key_up(Key::Control)
        .perform()
        .await?;
    page.see_text("bulk-count", "3 selected").await?;
    page.click("bulk-export").await?;
    page.see("export-dialog").await?;
    driver.find(By::Css("[data-testid=export-format][data-format=sharegpt]")).await?.click().await?;
    page.see_text("export-loss", "3 traces").await?;
    page.see_text("export-go", "Export anyway").await?;
    page.picture("window", "files-4-export").await?;
    page.click("export-go").await?;
    let folder = page.see("export-folder").await?.text().await?;
    page.picture("window", "files-5-written").await?;
    let written: Vec<_> = std::fs::read_dir(&folder).context(folder)?.collect::<Result<_, _>>()?;
    ensure!(written.len() == 1, "{written:?}");
    let text = std::fs::read_to_string(written[0].path())?;
    ensure!(text.contains("Find the pot") && text.contains("conversations"), "{text}");
    page.click("export-close").await?;
    page.gone("export-dialog").await
}

async fn begin(page: &Page<'_>, file: &Path) -> Result<()> {
    page.click("import-open").await?;
    page.fill("import-path", &file.display().to_string()).await?;
    page.click("import-look").await?;
    page.see_text("import-go", "and more").await?;
    page.click("import-go").await?;
    page.see_text("import-progress", "Importing").await
}

/// An import is ended in the middle; one that goes on is found again by a page that is loaded anew.
async fn long_ones(open: &Open, file: &Path) -> Result<()> {
    let page = open.page()?;
    begin(&page, file).await?;
    page.click("import-cancel").await?;
    page.see_text("import-progress", "Import cancelled after").await?;
    page.fill("review-query", "Row").await?;
    // What was written stays; the rest never came.
    page.until(
        "(() => { const found = document.querySelector('[data-testid=review-count]')?.textContent ?? '';
            const count = parseInt(found.replace(/\\D/g, '')); return found.includes('found') && count < 30000 })()",
    )
    .await?;
    page.click("import-progress").await?;
    page.see_text("import-report-count", "0 refused").await?;
    page.click("import-report-close").await?;
    page.gone("import-report").await?;

    begin(&page, file).await?;
    open.driver()?.execute("window.before = true", Vec::new()).await?;
    open.driver()?.refresh().await?;
    page.until("!window.before && document.querySelector('#app[data-ready]')").await?;
    page.see_text("import-progress", "Importing").await?;
    page.picture("window", "files-6-found-again").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_imports_files_in_the_window_and_exports_what_came() -> Result<()> {
    let home = Desk::open().await.close().await;
    let folder = home.path().join("files");
    std::fs::create_dir(&folder)?;
    std::fs::write(folder.join("rows.jsonl"), rows())?;
    std::fs::write(folder.join("other.json"), "{\"shopping\": [\"kettle\"]}")?;
    std::fs::write(folder.join("notes.txt"), "Not a trace.")?;
    let open = open_window(home.path()).await?;
    let page = open.page()?;
    page.click("rail-review").await?;
    by_its_path(&page, &folder).await?;
    by_a_drop(&open).await?;
    out_again(&open).await?;
    let large = home.path().join("many.jsonl");
    std::fs::write(&large, many_rows())?;
    long_ones(&open, &large).await?;
    open.close().await
}

/// The file picker itself: Chromium's driver answers it, the window's does not.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_picked_are_understood_before_they_are_imported() -> Result<()> {
    let home = Desk::open().await.close().await;
    let file = home.path().join("rows.jsonl");
    std::fs::write(&file, rows())?;
    let open = open_browser(home.path()).await?;
    let page = open.page()?;
    page.click("rail-review").await?;
    page.click("import-open").await?;
    let input = open.driver()?.find(By::Css("[data-testid=import-files]")).await?;
    input.send_keys(file.display().to_string()).await?;
    page.see_text("import-preview-row", "Find the kettle").await?;
    page.see_text("import-preview-refused", "Line 2").await?;
    page.click("import-go").await?;
    page.see_text("import-report-count", "2 traces in the workspace, 1 refused.").await?;
    open.close().await
}

/// A folder in a folder, with a file of each kind.
fn folders(home: &Path) -> Result<std::path::PathBuf> {
    let folder = home.join("shelf");
    std::fs::create_dir_all(folder.join("top/left"))?;
    std::fs::write(folder.join("top/left/deep.jsonl"), with_call("Find the deep ladle").to_string() + "\n")?;
    std::fs::write(folder.join("flat.jsonl"), with_call("Find the flat spoon").to_string() + "\n")?;
    std::fs::write(folder.join("notes.txt"), "Not a trace.")?;
    Ok(folder)
}

async fn of_a_folder(page: &Page<'_>) -> Result<()> {
    page.see_text("import-preview-row", "Find the deep ladle").await?;
    page.see_text("import-preview-row", "Find the flat spoon").await?;
    page.see_text("import-go", "Import 2 traces").await?;
    page.click("import-go").await?;
    page.see_text("toast", "2 traces imported").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_dropped_onto_the_page_is_read_to_its_last_file() -> Result<()> {
    let home = Desk::open().await.close().await;
    let folder = folders(home.path())?;
    let open = open_browser(home.path()).await?;
    let page = open.page()?;
    page.click("rail-review").await?;
    page.see("review-page").await?;
    let tools = open.driver()?.cdp();
    for kind in ["dragEnter", "dragOver", "drop"] {
        let data = json!({ "items": [], "files": [folder.display().to_string()], "dragOperationsMask": 1 });
        let event = json!({ "type": kind, "x": 400, "y": 300, "data": data });
        tools.send_raw("Input.dispatchDragEvent", event).await?;
    }
    of_a_folder(&page).await?;
    open.close().await
}

/// WebKit's driver has no drop: the page is handed entries as its own drops have them. That WebKit gives these for a
/// folder from outside is not seen here.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_dropped_onto_the_window_is_read_to_its_last_file() -> Result<()> {
    const DROP: &str = "const file = (path, text) => ({ isDirectory: false, isFile: true, name: path.split('/').pop(),
            fullPath: path, file: (done) => done(new File([text], path.split('/').pop())) });
        const folder = (path, inner) => ({ isDirectory: true, isFile: false, name: path.split('/').pop(), fullPath: path,
            createReader: () => { const portions = [inner.slice(0, 1), inner.slice(1), []];
                return { readEntries: (done) => done(portions.shift()) }; } });
        const [deep, flat] = arguments;
        const entry = folder('/shelf', [
            folder('/shelf/top', [folder('/shelf/top/left', [file('/shelf/top/left/deep.jsonl', deep)])]),
            file('/shelf/notes.txt', 'Not a trace.'), file('/shelf/flat.jsonl', flat)]);
        const item = { kind: 'file', webkitGetAsEntry: () => entry, getAsFile: () => null };
        const data = { types: ['Files'], files: [], items: { length: 1, 0: item }, dropEffect: 'none' };
        for (const kind of ['dragenter', 'dragover', 'drop']) {
            const event = new DragEvent(kind, { bubbles: true, cancelable: true });
            Object.defineProperty(event, 'dataTransfer', { value: data });
            document.body.dispatchEvent(event);
        }";
    let home = Desk::open().await.close().await;
    let open = open_window(home.path()).await?;
    let page = open.page()?;
    page.click("rail-review").await?;
    page.see("review-page").await?;
    let row = |task: &str| Value::String(with_call(task).to_string() + "\n");
    open.driver()?.execute(DROP, vec![row("Find the deep ladle"), row("Find the flat spoon")]).await?;
    of_a_folder(&page).await?;
    open.close().await
}
