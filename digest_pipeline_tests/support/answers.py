"""One invented paper and faithful answers to it in every shipped language, for the tests of translation.

What lives here: texts written for this project. The abstract holds one of each thing that must survive: formulas,
a percent sign, a command around words, a citation, a link, numbers, a name, terms of the glossary.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from typing import Any

from digest_pipeline.models import AnnounceType, Evidence, Paper

PAPER = Paper(
    arxiv_id="2611.04321",
    version=1,
    announce_type=AnnounceType.NEW,
    primary_category="cs.IR",
    categories=("cs.IR", "cs.CL"),
    title="LumaRank: Faster Passage Re-ranking with $k$ Shared Attention Heads",
    abstract=(
        "Large language models rerank passages well but slowly. We present LumaRank, which shares $k=4$ attention heads across layers "
        "and needs no fine-tuning. On two benchmarks with 12,500 queries, LumaRank keeps 98.3\\% of the accuracy at a latency of 41 ms "
        "per query, compared with 160 ms for the strongest baseline. An ablation study with \\textbf{three smaller models} shows that "
        "the gain grows with depth, as predicted in [7]. Code is at https://example.org/lumarank."
    ),
    authors=("Noor Example", "Iva Placeholder"),
    affiliations=("", ""),
    comment=None,
    doi=None,
    journal_ref=None,
    submitted_at_utc=None,
    updated_at_utc=None,
    listing_date=date(2026, 11, 20),
    evidence=Evidence.RSS,
)

TLDR_EN = "LumaRank shares attention heads across layers and reranks passages four times faster at almost the same accuracy."

ANSWERS: dict[str, dict[str, str]] = {
    "zh": {
        "translated_title": "LumaRank：用 ⟦1⟧ 个共享注意力头加速段落重排序",
        "translated_abstract": (
            "大语言模型能很好地对段落重排序，但速度较慢。我们提出 LumaRank，它在各层之间共享 ⟦2⟧ 个注意力头，且无需微调。"
            "在包含 12,500 条查询的两个基准上，LumaRank 保留了 ⟦3⟧ 的准确率，每条查询的延迟为 41 毫秒，而最强基线为 160 毫秒。"
            "对⟦4⟧三个较小的模型⟦5⟧的消融研究表明，收益随深度增长，与 ⟦6⟧ 的预测一致。代码见⟦7⟧。"
        ),
        "tldr": "LumaRank 在各层之间共享注意力头，使段落重排序提速近四倍，准确率几乎不变。",
    },
    "zh-Hant": {
        "translated_title": "LumaRank：以 ⟦1⟧ 個共享注意力頭加速段落重排序",
        "translated_abstract": (
            "大型語言模型能很好地對段落重排序，但速度較慢。我們提出 LumaRank，它在各層之間共享 ⟦2⟧ 個注意力頭，且無需微調。"
            "在包含 12,500 筆查詢的兩個基準上，LumaRank 保留了 ⟦3⟧ 的準確率，每筆查詢的延遲為 41 毫秒，而最強基線為 160 毫秒。"
            "對⟦4⟧三個較小的模型⟦5⟧的消融研究顯示，效益隨深度增長，與 ⟦6⟧ 的預測一致。程式碼見⟦7⟧。"
        ),
        "tldr": "LumaRank 在各層之間共享注意力頭，使段落重排序提速近四倍，準確率幾乎不變。",
    },
    "ja": {
        "translated_title": "LumaRank：⟦1⟧ 個の共有注意ヘッドによる高速なパッセージ再ランキング",
        "translated_abstract": (
            "大規模言語モデルはパッセージの再順位付けを得意とするが、速度が遅い。本研究では LumaRank を提案する。これは層をまたいで ⟦2⟧ 個の"
            "注意ヘッドを共有し、ファインチューニングを必要としない。12,500 件のクエリからなる二つのベンチマークにおいて、LumaRank は精度の ⟦3⟧ を"
            "保ち、クエリあたりのレイテンシは 41 ミリ秒であり、最も強いベースラインの 160 ミリ秒を下回る。⟦4⟧より小さな三つのモデル⟦5⟧による"
            "アブレーション研究は、⟦6⟧ の予測どおり、深さとともに効果が大きくなることを示す。コードは⟦7⟧で公開している。"
        ),
        "tldr": "LumaRank は層をまたいで注意ヘッドを共有し、精度をほぼ保ったままパッセージの再ランキングを約四倍に高速化する。",
    },
    "ko": {
        "translated_title": "LumaRank: ⟦1⟧개의 공유 어텐션 헤드를 이용한 빠른 단락 재순위화",
        "translated_abstract": (
            "대규모 언어 모델은 단락의 순위를 잘 다시 매기지만 느리다. 우리는 층 사이에서 ⟦2⟧개의 어텐션 헤드를 공유하며 미세 조정이 필요 없는 "
            "LumaRank를 제안한다. 질의 12,500개로 이루어진 두 벤치마크에서 LumaRank는 정확도의 ⟦3⟧를 유지하면서 질의당 지연 시간이 41 ms로, "
            "가장 강한 베이스라인의 160 ms보다 짧다. ⟦4⟧더 작은 세 모델⟦5⟧에 대한 절제 연구는 ⟦6⟧의 예측대로 깊이가 깊을수록 이득이 커짐을 "
            "보인다. 코드는 ⟦7⟧ 에 있다."
        ),
        "tldr": "LumaRank는 층 사이에서 어텐션 헤드를 공유하여 정확도를 거의 유지하면서 단락 재순위화를 약 네 배 빠르게 한다.",
    },
    "fr": {
        "translated_title": "LumaRank : un reclassement de passages plus rapide grâce à ⟦1⟧ têtes d’attention partagées",
        "translated_abstract": (
            "Les grands modèles de langage reclassent bien les passages, mais lentement. Nous présentons LumaRank, qui partage ⟦2⟧ têtes "
            "d’attention entre les couches et ne demande aucun ajustement fin. Sur deux bancs d’essai de 12 500 requêtes, LumaRank conserve "
            "⟦3⟧ de l’exactitude avec une latence de 41 ms par requête, contre 160 ms pour la meilleure méthode de référence. Une étude "
            "d’ablation portant sur ⟦4⟧trois modèles plus petits⟦5⟧ montre que le gain croît avec la profondeur, comme prévu par ⟦6⟧. Le code "
            "se trouve à l’adresse ⟦7⟧."
        ),
        "tldr": "LumaRank partage des têtes d’attention entre les couches et reclasse les passages environ quatre fois plus vite, presque sans perte.",
    },
    "de": {
        "translated_title": "LumaRank: Schnellere Neuordnung von Textpassagen mit ⟦1⟧ gemeinsamen Aufmerksamkeitsköpfen",
        "translated_abstract": (
            "Große Sprachmodelle ordnen Textpassagen gut, aber langsam neu. Wir stellen LumaRank vor, das ⟦2⟧ Aufmerksamkeitsköpfe über die "
            "Schichten hinweg teilt und keine Feinabstimmung braucht. Auf zwei Benchmarks mit 12.500 Anfragen behält LumaRank ⟦3⟧ der "
            "Genauigkeit bei einer Latenz von 41 ms je Anfrage, gegenüber 160 ms für das stärkste Vergleichsverfahren. Eine Ablationsstudie "
            "mit ⟦4⟧drei kleineren Modellen⟦5⟧ zeigt, dass der Gewinn mit der Tiefe wächst, wie in ⟦6⟧ vorhergesagt. Der Code liegt unter ⟦7⟧."
        ),
        "tldr": "LumaRank teilt Aufmerksamkeitsköpfe über die Schichten hinweg und ordnet Passagen bei fast gleicher Genauigkeit viermal so schnell.",
    },
    "es": {
        "translated_title": "LumaRank: reordenamiento de pasajes más rápido con ⟦1⟧ cabezas de atención compartidas",
        "translated_abstract": (
            "Los grandes modelos de lenguaje reordenan bien los pasajes, pero despacio. Presentamos LumaRank, que comparte ⟦2⟧ cabezas de "
            "atención entre las capas y no necesita ajuste fino. En dos bancos de pruebas con 12.500 consultas, LumaRank conserva el ⟦3⟧ de la "
            "exactitud con una latencia de 41 ms por consulta, frente a los 160 ms del método de referencia más fuerte. Un estudio de ablación "
            "con ⟦4⟧tres modelos más pequeños⟦5⟧ muestra que la ganancia crece con la profundidad, como se predijo en ⟦6⟧. El código está en ⟦7⟧."
        ),
        "tldr": "LumaRank comparte cabezas de atención entre las capas y reordena pasajes unas cuatro veces más rápido casi sin perder exactitud.",
    },
    "en": {},
}

STRUCTURED_ZH = {
    "motivation": "大语言模型重排序效果好但速度慢。",
    "method": "在各层之间共享注意力头。",
    "result": "延迟由 160 毫秒降至 41 毫秒。",
    "conclusion": "模型越深，收益越大。",
}


def paper(**changes: Any) -> Paper:
    """The invented paper, with other values where a test needs them."""
    return dataclasses.replace(PAPER, **changes)


def answer(tag: str = "zh", **changes: str) -> str:
    """The faithful answer in a language as the model would send it, with other fields where a test needs them."""
    return json.dumps({**ANSWERS[tag], "tldr_en": TLDR_EN, **changes}, ensure_ascii=False)
