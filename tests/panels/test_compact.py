"""What is sent to the browser means what was written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.panels.base.compact import compact
from toolkit.panels.base.panel import PANELS

FILES = sorted(str(path.relative_to(PANELS)) for path in PANELS.rglob("*.js"))


@pytest.mark.parametrize("name", FILES)
def test_nothing_goes_but_comments_spaces_and_last_semicolons(name):
    source = (PANELS / name).read_text(encoding="utf-8")
    code = re.sub(r"(?m)^\s*// .*$|(?<=[;{},)]) // .*$|^export (?!default)", "", source)
    found = compact(source)
    dense = [re.sub(r"\s", "", text) for text in (found, code)]
    assert dense[0].replace(";}", "}") == dense[1].replace(";}", "}")
    quoted = r'"[^"\n`]*"'
    assert [x for x in re.findall(quoted, found) if " " in x] == [x for x in re.findall(quoted, code) if " " in x]
    assert len(found) < len(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a + +b", "a+ +b"),
        ("a - -b", "a- -b"),
        ("return [1, 2]", "return[1,2]"),
        ("x = `a  ${ b ? `c  ${ d }  e` : '' }  f`", "x=`a  ${b?`c  ${d}  e`:''}  f`"),
        ("x = `a\\`  b`", "x=`a\\`  b`"),
        ("f(/a  [/]  b/g, 'x  y')", "f(/a  [/]  b/g,'x  y')"),
        ("a / b / c", "a/b/c"),
        ("a + b - c", "a+b-c"),
        ("a / /b/g in c", "a/ /b/g in c"),
        ("1 .toFixed()", "1 .toFixed()"),
        ("a\n++b", "a\n++b"),
        ("return -1", "return-1"),
        ("let u = 'http://x'; // gone\nlet v", "let u='http://x';let v"),
        ("a\n/* gone\n  too */\nb", "a\nb"),
        ("const f = (a) => {\n  return a\n}\nf()", "const f=(a)=>{return a}\nf()"),
        ("const f = function () {\n  a;\n}\nf()", "const f=function(){a}\nf()"),
        ("async function* f() {\n  a;\n}\nf()", "async function*f(){a}\nf()"),
        ("const x = {\n  a\n}\nf()", "const x={a}\nf()"),
        (
            "class A {\n  b() {\n    if (c) {\n      d;\n    }\n    e;\n  }\n\n  get f() { g; }\n  h = 1;\n}",
            "class A{b(){if(c){d}e}get f(){g}h=1}",
        ),
        ("{ for (;;); }", "{for(;;);}"),
        ("{ if (a) b; else; }", "{if(a)b;else;}"),
        ("{ while (a); }", "{while(a);}"),
        ("{ a:; }", "{a:;}"),
        ("{ f(a); }", "{f(a)}"),
        ("try {\n  a;\n} finally {\n  b;\n}\nc", "try{a}finally{b}c"),
        ("x = `${() => {\n  a;\n}}`", "x=`${()=>{a}}`"),
        ("a ?.5 : 1", "a?.5:1"),
        ('"don\'t  //  touch"', '"don\'t  //  touch"'),
        ("`${`${ a }`}`", "`${`${a}`}`"),
        ("export class A {\n}\nexport default { A };", "class A{}\nexport default{A};"),
        ("`{ ${ { a: 1 }.a } }`", "`{ ${{a:1}.a} }`"),
    ],
)
def test_by_hand(source, expected):
    assert compact(source) == expected


@given(st.text("ab \n;{}`$'\"/\\+-=().,:?", max_size=30))
def test_strings_survive_whatever_they_hold(text):
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    assert compact(f"f( {quoted} )") == f"f({quoted})"
    ticked = "`" + text.replace("\\", "\\\\").replace("`", "\\`").replace("$", "\\$") + "`"
    assert compact(f"f( {ticked} )") == f"f({ticked})"
