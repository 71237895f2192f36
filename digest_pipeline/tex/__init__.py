"""TeX in titles, abstracts and answers: one reading of it, and one module for each form in which it is shown.

`scan.py` finds the formulas, `text.py` reads what stands around them, `html.py`, `plain.py` and `bibtex.py` write both anew.
Every output and the placeholders of the translation use the same scanner, so that they agree on what is a formula.
"""
