"""Text as LaTeX that prints it and does nothing else."""

from __future__ import annotations

import pytest

from digest_pipeline.tex.bibtex import latex_text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Costs 50% & more: a_b #1", r"Costs 50{\%} {\&} more: a{\_}b {\#}1"),
        (r"Costs 50\% \& more", r"Costs 50{\%} {\&} more"),
        (r"On $\ell_1$-norms and $x^{2}$", r"On $\ell_1$-norms and $x^{2}$"),
        (r"Schr\"odinger and Schr{\"{o}}dinger and \c{c}", r"Schr{\"o}dinger and Schr{\"o}dinger and {\c{c}}"),
        (r"{BERT}: \emph{very {Deep}} models", "BERT: very Deep models"),
        ("only $5", r"only {\$}5"),
        ("costs $5 and $10 a day", r"costs {\$}5 and {\$}10 a day"),
        (r"256$\times$256 and $<$5% ($r=1$)", r"256$\times$256 and $<$5{\%} ($r=1$)"),
        ("from $5 to $6", r"from {\$}5 to {\$}6"),
        (r"\input{/etc/passwd}", r"{\textbackslash}input{\textbraceleft}/etc/passwd{\textbraceright}"),
        (r"$\input{/etc/passwd}$", r"{\$}{\textbackslash}input{\textbraceleft}/etc/passwd{\textbraceright}{\$}"),
        (r"$^^5cinput{x}$", r"{\$}{\textasciicircum}{\textasciicircum}5cinput{\textbraceleft}x{\textbraceright}{\$}"),
        (r"$\{a$", r"{\$}{\textbackslash}{\textbraceleft}a{\$}"),
        (r"$\begin{matrix}1\end{matrix}$ \(x\) \[y\]", r"$\begin{matrix}1\end{matrix}$ \(x\) \[y\]"),
        ("100% of $a % b$", r"100{\%} of $a \% b$"),
        ("大模型", "大模型"),
    ],
)
def test_text_is_safe_latex_and_mathematics_is_kept(text: str, written: str) -> None:
    assert latex_text(text) == written
