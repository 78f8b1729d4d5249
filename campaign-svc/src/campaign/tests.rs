mod adapt;
mod draft;
mod lifecycle;
mod mix;
mod run;
