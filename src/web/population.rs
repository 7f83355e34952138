//! Populations: counted against their sources, page by page, as a file, or as a sample.

use super::Site;
use super::answers::{Form, Shown, attached, made, refused};
use crate::jobs;
use crate::report::population::{Drawing, Population, Told, Wanted};
use crate::report::{Zone, csv, html, json};
use axum::Json;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Entries of a page.
const ROWS: usize = 50;

/// What is asked, and what that means; none where no kind is told yet.
pub(super) struct Asked(Wanted, Option<Drawing>);

impl FromRequestParts<Site> for Asked {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Asked, Response> {
        let known = "kind, source, from, to, sample, seed, after and as_of can be told, each once";
        let asked: Result<Query<Wanted>, _> = Query::try_from_uri(&parts.uri);
        let Query(wanted) = asked.map_err(|_| refused(known))?;
        let zone = Zone::named(&site.desk.config.timezone);
        let drawing = wanted.drawing(&zone, ROWS).map_err(|why| refused(&why))?;
        Ok(Asked(wanted, drawing))
    }
}

async fn counted(site: &Site, shown: &Shown, asked: Drawing) -> Result<Population, Response> {
    let (desk, size) = (Arc::clone(&site.desk), shown.view.report.as_of.size);
    site.in_turn(move || jobs::population(&desk, &desk.store()?, size, &asked)).await
}

pub(super) async fn page(State(site): State<Site>, shown: Shown, asked: Asked, form: Form) -> Response {
    let Asked(wanted, drawing) = asked;
    let population = match drawing {
        Some(drawing) => match counted(&site, &shown, drawing).await {
            Ok(population) => Some(population),
            Err(response) => return response,
        },
        None => None,
    };
    match form {
        Form::Json => Json(json::population(&shown.view.report, population.as_ref())).into_response(),
        Form::Html => made(html::population(&shown.view.report, &wanted, population.as_ref(), shown.seen)),
    }
}

/// All of it, or the sample.
pub(super) async fn file(State(site): State<Site>, shown: Shown, asked: Asked) -> Response {
    let Asked(_, Some(mut drawing)) = asked else { return refused("a kind is to be told") };
    if let Told::Page(..) = drawing.told {
        drawing.told = Told::All;
    }
    match counted(&site, &shown, drawing).await {
        Ok(population) => {
            let name = format!("population-{}.csv", population.as_of);
            attached(&name, csv::population(&population).into())
        }
        Err(response) => response,
    }
}
