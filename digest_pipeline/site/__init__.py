"""The reader's side as a static site: pages, feeds, search, exports, statistics below `data/site/`.

What lives here: everything that turns the finished tables into files any web server, object store or
`file://` can serve. What does not: the tables (`papers/`, `translation/`), what every output shows of a paper and a day
(`render/`), the Markdown digest (`markdown/`), and Dagster (`orchestration/` calls `build.build_site`).

    options.py       what of the settings the site depends on
    paths.py         every address below site/, in one place: they are promises to readers
    build.py         what is due, in which order it is made, and what has to go
    record.py        what the last build made from what, so that the next one does only the rest
    corpus.py        which days there are, and which of them changed
    day_pages.py     the files of one day      details.py what opens below its rows      paper_pages.py a page a paper, if wanted
    overviews.py     the pages over all days   archive.py  watch_pages.py  statistics.py  charts.py  feeds/  search/
    finder.py        from an arXiv id to its row, for addresses of earlier releases
    views.py         a day, a paper as the values a template shows      versions.py, difference.py what changed between versions
    render.py        templates → pages      writer.py writing, a few files at a time
    exports/         one day's papers for other programs
    serve.py         a loopback server to look at the result
"""
