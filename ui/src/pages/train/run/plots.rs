//! The plots of a training: loss, learning rate, gradient norm. They share what is seen and what is pointed at.

use leptos::prelude::*;

use super::super::words::{loss, norm, rate};
use super::model::Run;
use crate::components::{Choice, Plot, PlotView, Segmented};

/// Height of the loss, in pixels.
const LOSS_PX: f64 = 268.0;
/// Height of the others.
const SMALL_PX: f64 = 128.0;

/// How much of the past the smoothed loss keeps.
pub(crate) fn smoothings() -> Vec<Choice<f64>> {
    vec![Choice::new(0.0, "None"), Choice::new(0.9, "Light"), Choice::new(0.98, "Strong")]
}

/// The plots.
#[component]
pub(super) fn Plots(run: Run, smoothing: RwSignal<f64>) -> impl IntoView {
    let view_of = PlotView::new();
    view! {
        <div class="training-plots">
            <div class="training-plots-bar">
                <span class="field-label">"Smoothing"</span>
                <Segmented label="Smoothing of the loss" options=smoothings() value=smoothing testid="train-smoothing"/>
                <span class="field-hint">"Drag over steps to see them closer, double click for all."</span>
            </div>
            <Plot title="Loss" curves=run.loss view=view_of height=LOSS_PX words=loss testid="plot-loss"/>
            <div class="training-plots-small">
                <Plot title="Learning rate" curves=run.rate view=view_of height=SMALL_PX words=rate from_zero=true testid="plot-rate"/>
                <Plot title="Gradient norm" curves=run.norm view=view_of height=SMALL_PX words=norm from_zero=true testid="plot-norm"/>
            </div>
        </div>
    }
}
