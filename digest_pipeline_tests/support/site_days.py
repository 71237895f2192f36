"""Invented listing days for the site's tests and benchmark, written as the pipeline writes them.

What lives here: papers and summaries made from a small stock of invented research, and the hostile texts.
What does not: assertions.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from digest_pipeline import tables
from digest_pipeline.models import AnnounceType, Evidence, ListingInfo, Paper, Summary, SummaryStatus
from digest_pipeline.papers.ledger import day_ledger, in_category, write_facts, write_ledger
from digest_pipeline.storage import Storage

CATEGORIES = ("cs.CL", "cs.IR")

_WORK = [
    ("Sparse Routing for Long-Context Retrieval", "面向长上下文检索的稀疏路由", "稀疏路由只读取文档的一小部分，就达到了与全文阅读相当的检索质量。"),
    (
        "How Much Does a Tokenizer Forget? Measuring Lossy Segmentation in $k$-Gram Models",
        "分词器会遗忘多少？度量 $k$ 元模型中的有损切分",
        "本文给出一个 $O(n \\log n)$ 的度量，说明分词造成的信息损失主要来自罕见词。",
    ),
    ("Speaking in Turns: Dialogue Agents that Know When to Wait", "轮流说话：懂得等待的对话智能体", "让模型预测沉默的长度，可以把误打断减少 41%。"),
    (
        "A Ledger of Citations: Grounded Answers under a Budget",
        "引文账本：预算约束下有据可查的回答",
        "把引文当作账目来核对，能在同样的预算下让错误引用减半。",
    ),
    (
        "Cold-Start Recommendation with Neighbourhood Priors",
        "利用邻域先验的冷启动推荐",
        "新用户只需三次点击，邻域先验就能给出与老用户相近的推荐质量。",
    ),
    (
        "Reading Tables Aloud: Structure-Aware Speech for the Web",
        "朗读表格：面向网页的结构感知语音",
        "先读结构再读数字，听者找到答案的时间缩短了三分之一。",
    ),
    ("On the Stability of Preference Fine-Tuning at Small Scale", "小规模偏好微调的稳定性", "在 $\\alpha < 0.1$ 时，小模型的偏好微调也能稳定收敛。"),
    (
        "Dialects at the Margin: A Corpus of 31 Spoken Varieties",
        "边缘的方言：31 种口语变体语料库",
        "一个覆盖 31 种方言、共 2,400 小时的口语语料库，附有逐句转写。",
    ),
]
_NAMES = [
    "Ana Lindqvist",
    "Wei Zhang",
    "Jürgen Größer",
    "Chiamaka Obi",
    "Søren Ødegård",
    "María Núñez",
    "佐藤 健",
    "Łukasz Żółć",
    "Fatima El Idrissi",
    "John Smith",
]
_ABSTRACT = (
    "Retrieval over long documents is limited less by the size of the context window than by how evenly attention is spread over it. "
    "We study {topic} and propose a router that reads only a fraction $\\rho$ of each document, chosen by a learned score $s_\\theta(x)$, "
    "with a bound of $O(n \\log n)$ on the work per query. On four public collections the method keeps 98.7\\% of the quality of full reading "
    "at one sixth of its cost. Failures concentrate on questions whose evidence is split over distant sections.\n"
    "  Code and data are available at https://github.com/example/{slug}."
)
_ABSTRACT_ZH = (
    "长文档检索的瓶颈与其说是上下文窗口的大小，不如说是注意力在其中的分布是否均匀。本文研究{topic}，提出一种路由器，"
    "它按照学习到的分数 $s_\\theta(x)$ 只读取每篇文档的一小部分 $\\rho$，并把每次查询的计算量限制在 $O(n \\log n)$ 以内。"
    "在四个公开数据集上，该方法以六分之一的成本保持了全文阅读 98.7% 的质量。失败案例集中在证据分散于相距较远的章节的问题上。\n\n"
    "代码与数据见 https://github.com/example/{slug}。"
)
_OTHER_TITLES = {
    "ja": "長い文書の検索のための疎なルーティング",
    "ko": "긴 문서 검색을 위한 희소 라우팅",
    "fr": "Un routage clairsemé pour la recherche dans les longs documents",
    "de": "Sparsames Routing für die Suche in langen Dokumenten",
    "es": "Enrutamiento disperso para la búsqueda en documentos largos",
    "zh-Hant": "面向長上下文檢索的稀疏路由",
}

HOSTILE = {
    "script": "<script>document.title='owned'</script>",
    "image": "<img src=x onerror=\"document.title='owned'\">",
    "attribute": "\"'><svg onload=document.title='owned'>",
    "closing": "]]></title></textarea></script><script>document.title='owned'</script>",
    "template": "{{ 7 * 7 }}{% include 'base.html.jinja' %}",
    "mathematics": "$\\text{<img src=x onerror=document.title='owned'>}$ and $<script>alert(1)</script>$",
    "tex link": "\\href{javascript:document.title='owned'}{click} \\url{javascript:alert(1)}",
    "markdown": "[x](javascript:alert(1)) `code` | pipe | **bold**",
    "bidi": "abc \u202edcba\u202c \u2066x\u2069 \u200f end",
    "control": "a\x00b\x07c\x1bd\x9ce\ufffe",
    "entities": "&lt;b&gt; &#60;script&#62; &amp;amp;",
    "dollars": "costs $5 and $10, $unbalanced {brace",
    "wide": "W" * 400,
}


def make_paper(arxiv_id: str = "2606.00001", day: date = date(2026, 6, 2), **changes: Any) -> Paper:
    """A whole plausible paper; `changes` are fields to replace (affiliations follow the authors)."""
    title = changes.get("title", _WORK[0][0])
    submitted = datetime(day.year, day.month, day.day, 9, 30, tzinfo=UTC) - timedelta(days=1)
    paper = Paper(
        arxiv_id=arxiv_id,
        version=1,
        announce_type=AnnounceType.NEW,
        primary_category="cs.CL",
        categories=("cs.CL", "cs.LG"),
        title=title,
        abstract=_ABSTRACT.format(topic="sparse routing", slug=arxiv_id.replace("/", "-")),
        authors=("Ana Lindqvist", "Wei Zhang"),
        affiliations=("", ""),
        comment=None,
        doi=None,
        journal_ref=None,
        submitted_at_utc=submitted,
        updated_at_utc=submitted,
        listing_date=day,
        evidence=Evidence.RSS,
    )
    paper = replace(paper, **changes)
    return paper if len(paper.affiliations) == len(paper.authors) else replace(paper, affiliations=("",) * len(paper.authors))


def make_summary(paper: Paper, language: str = "zh", **changes: Any) -> Summary:
    """A translated summary of the paper; for `en` it has TL;DRs only."""
    work = next((one for one in _WORK if one[0] == paper.title), _WORK[0])
    is_english = language == "en"
    title = _OTHER_TITLES.get(language, work[1])
    summary = Summary(
        arxiv_id=paper.arxiv_id,
        version=paper.version,
        language=language,
        translated_title="" if is_english else title,
        translated_abstract="" if is_english else _ABSTRACT_ZH.format(topic=title, slug=paper.arxiv_id.replace("/", "-")),
        tldr="A router that reads a sixth of each document keeps almost all of the retrieval quality." if is_english else work[2],
        tldr_en="A router that reads a sixth of each document keeps almost all of the retrieval quality.",
        status=SummaryStatus.TRANSLATED,
        flags=(),
        model="invented-model",
        prompt_sha256="0" * 64,
        input_tokens=700,
        output_tokens=500,
        cost_usd=0.0012,
        from_cache=False,
    )
    return replace(summary, **changes)


def quarantined(paper: Paper, language: str = "zh", flags: tuple[str, ...] = ("script: the answer is in English",)) -> Summary:
    blank = {"translated_title": "", "translated_abstract": "", "tldr": "", "tldr_en": ""}
    return make_summary(paper, language, status=SummaryStatus.QUARANTINED, flags=flags, **blank)


def write_day(
    storage: Storage,
    day: date,
    papers: Sequence[Paper] = (),
    *,
    languages: Sequence[str] = ("zh",),
    categories: Sequence[str] = CATEGORIES,
    summaries: Iterable[Summary] = (),
    announced: bool = True,
    evidence: Evidence = Evidence.RSS,
    is_sample: bool = False,
) -> None:
    """The day's four files; a paper without one of `summaries` gets an ordinary translation."""
    given: Mapping[tuple[str, str], Summary] = {(one.arxiv_id, one.language): one for one in summaries}
    storage.write_table(storage.papers_file(day), tables.papers_to_table(papers))
    rows = []
    for tag in languages:
        of_language = {p.arxiv_id: given.get((p.arxiv_id, tag)) or make_summary(p, tag) for p in papers}
        storage.write_table(storage.summaries_file(day, tag), tables.summaries_to_table(of_language.values()))
        for category in ("all", *categories):
            ids = [p.arxiv_id for p in in_category(category, papers)]
            members = [p for p in papers if p.arxiv_id in ids]
            rows.append(day_ledger(day, category, tag, announced_ids=ids, papers=members, summaries=of_language, rendered_ids=ids))
    write_ledger(storage, day, rows)
    write_facts(storage, ListingInfo(day, announced, evidence if announced else None, is_sample))


def listing_days(first: date, count: int) -> list[date]:
    """`count` weekdays from `first` on."""
    days: list[date] = []
    while len(days) < count:
        if first.weekday() < 5:
            days.append(first)
        first += timedelta(days=1)
    return days


def generated_papers(day: date, count: int, *, replaced: Sequence[Paper] = ()) -> list[Paper]:
    """A day of `count` invented papers: two thirds new, some cross-lists, and a second version of each of `replaced`."""
    chance = random.Random(day.toordinal())
    papers = [replace(one, version=one.version + 1, announce_type=AnnounceType.REPLACE, listing_date=day) for one in replaced]
    number = (day.toordinal() * 997) % 20_000
    for index in range(count - len(papers)):
        title, _, _ = _WORK[chance.randrange(len(_WORK))]
        is_cross = chance.random() < 0.25
        home_category = "cs.LG" if is_cross else chance.choice(CATEGORIES)
        other = chance.choice(CATEGORIES) if is_cross else chance.choice(["cs.LG", "cs.AI", "cs.HC"])
        papers.append(
            make_paper(
                f"{day:%y%m}.{number + index:05d}",
                day,
                title=title,
                announce_type=AnnounceType.CROSS if is_cross else AnnounceType.NEW,
                primary_category=home_category,
                categories=(home_category, other),
                authors=tuple(chance.sample(_NAMES, chance.randrange(1, len(_NAMES)))),
                comment=chance.choice([None, "12 pages, 4 figures", "Accepted at an invented conference"]),
            )
        )
    return papers


def write_generated_days(storage: Storage, days: Sequence[date], papers_a_day: int, **options: Any) -> None:
    """Days in a row, each replacing some papers of the day before."""
    before: list[Paper] = []
    for day in days:
        papers = generated_papers(day, papers_a_day, replaced=before[: papers_a_day // 8])
        write_day(storage, day, papers, **options)
        before = [one for one in papers if one.version == 1]
