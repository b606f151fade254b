//! The loss lens of a dataset's row: as its version was built, though the workspace has no list of models; and compared
//! with what a live server makes of the row.

use anyhow::{Result, ensure};
use tw_artifact::{DatasetPlan, Json};
use tw_contract::KeyChange;
use tw_support::endpoint::{EndpointOptions, Script, ScriptedEndpoint, Tokenize, answer};

use super::open_browser;
use crate::harness::Desk;
use crate::pipeline::template::{by_hand, model_folder, small_tokenizer};
use crate::pipeline::trace;

/// A server that tells its tokens; its turns end with `end`.
async fn tokenizing(end: &'static str) -> ScriptedEndpoint {
    let tokenizer = small_tokenizer();
    let tokenize = Tokenize::new(move |body| tokenizer.encode(&by_hand(body, end)).unwrap().ids);
    let options = EndpointOptions { tokenize: Some(tokenize), ..EndpointOptions::default() };
    ScriptedEndpoint::respond_with(options, |_| Script::from(answer())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lens_of_a_row_has_its_versions_model_and_is_compared_with_a_live_server() -> Result<()> {
    let desk = Desk::open().await;
    desk.import_traces(&[trace("shoes", 1)]).await;
    let folder = model_folder(&desk, "chatml");
    let plan = DatasetPlan {
        name: "finds".to_owned(),
        model: Some(folder.display().to_string()),
        kwargs: Json::parse(r#"{"enable_thinking":false,"tone":"calm"}"#).unwrap(),
        max_tokens: Some(5_000),
        ..DatasetPlan::default()
    };
    let version = desk.build(plan).await.version.unwrap();
    // One server makes the same of it, the other does not.
    let (same, other) = (tokenizing("<|im_end|>").await, tokenizing("</s>").await);
    for endpoint in [&same, &other] {
        desk.add_endpoint(&endpoint.base_url(), KeyChange::Keep).await;
    }
    let dir = desk.close().await;

    let open = open_browser(dir.path()).await?;
    let page = open.page()?;
    page.click("rail-dataset").await?;
    page.see_text("version-row", "finds").await?;
    page.click("version-row").await?;
    page.see("dataset-version").await?;
    page.click("dataset-row").await?;
    page.click("row-tab-lens").await?;
    page.see_text("lens-text", "<|im_start|>").await?;
    ensure!(version.train.rows == 2, "{version:?}");
    // What it is rendered with is what the version was built with.
    page.click("lens-settings").await?;
    page.see_text("model-choice", "model-chatml").await?;
    let field = |testid: &str| format!("document.querySelector('[data-testid={testid}]').value");
    let kwargs: String = page.ask(&field("lens-kwargs")).await?;
    ensure!(kwargs.contains("calm") && !kwargs.contains("enable_thinking"), "{kwargs}");
    let limit: String = page.ask(&field("lens-limit")).await?;
    ensure!(limit.replace(',', "") == "5000", "{limit}");
    let text: String = page.ask("document.body.textContent").await?;
    ensure!(!text.contains("No model chosen"), "the version's own model is not taken");
    page.picture("lens", "1-own-model").await?;
    page.click("lens-settings").await?;

    page.click("lens-check").await?;
    let mut found = Vec::new();
    for place in ["0", "1"] {
        page.see("lens-check-endpoint").await?;
        let pick = format!(
            "(() => {{ const list = document.querySelector('[data-testid=lens-check-endpoint]'); list.value = '{place}'; \
             list.dispatchEvent(new Event('change', {{bubbles: true}})); return list.value; }})()"
        );
        let picked: String = page.ask(&pick).await?;
        ensure!(picked == place, "{picked}");
        page.click("lens-check-go").await?;
        let shown = |what: &str| format!("document.querySelector('[data-testid=lens-check-{what}]')");
        page.until(&format!("{} || {}", shown("equal"), shown("differs"))).await?;
        let equal: bool = page.ask(&format!("Boolean({})", shown("equal"))).await?;
        page.picture("lens", if equal { "2-equal" } else { "3-differs" }).await?;
        if equal {
            page.see_text("lens-check-equal", "The server makes the same").await?;
        } else {
            // The first end of a turn is where the server goes on otherwise.
            page.see_text("lens-check-differs", "<|im_end|>").await?;
            page.see_text("lens-check-differs", "</s>").await?;
            page.click("lens-check-show").await?;
            page.until("document.querySelector('[data-testid=lens-text] .lens-cell.is-at')").await?;
        }
        found.push(equal);
    }
    found.sort_unstable();
    ensure!(found == [false, true], "{found:?}");
    for endpoint in [&same, &other] {
        let asked = endpoint.requests().into_iter().find(|it| it.path == "/tokenize");
        let tone = asked.map(|it| it.body["chat_template_kwargs"]["tone"].clone());
        ensure!(tone.is_some_and(|tone| tone == "calm"), "the server is told the version's variables");
    }
    open.close().await
}
