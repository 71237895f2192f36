"""The reader's side as a static site: pages, feeds, search, exports, statistics below `data/site/`.

What lives here: everything that turns the finished tables into files any web server, object store or
`file://` can serve. What does not: the tables (`papers/`, `translation/`), the Markdown digest
(`digest/`), and Dagster (`orchestration/` calls `build.build_site`).

    options.py      what of the settings the site depends on
    paths.py        every address below site/, in one place: they are promises to readers
    corpus.py       tables of all days → one `SiteDay` at a time
    mathematics.py  TeX in titles and abstracts → safe HTML with MathML
    difference.py   what changed between two versions of a text
    views.py        a day, a paper, a calendar as the values a template shows
    render.py       templates → pages
    manifest.py     what the last build made from what, so that the next one does only the rest
    build.py        all of it in order
    serve.py        a loopback server to look at the result
"""
