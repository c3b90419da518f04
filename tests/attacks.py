"""Strings that would run or load something where they were taken for HTML, a URL or the end of an element."""

from __future__ import annotations

ATTACKS = (
    "<script>window.hit=1</script>", "</script><script>window.hit=1</script>", "<img src=x onerror=window.hit=1>",
    "<svg/onload=window.hit=1>", '"><script>window.hit=1</script>', "' onmouseover='window.hit=1", "]]><!--",
    "<iframe src=javascript:parent.hit=1></iframe>", "javascript:window.hit=1", "&lt;b&gt; <b>bold</b>",
    "</title><body onload=window.hit=1>", "</style><script>window.hit=1</script>", "\u2028window.hit=1\u2029",
    "{{constructor.constructor('window.hit=1')()}}", "${window.hit=1}", "<math href=javascript:window.hit=1>x</math>",
    '<a href="http://evil.example/x">x</a>', "<link rel=stylesheet href=http://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=http://evil.example'>", "<!--<img src='--><img src=x onerror=hit=1>",
)  # fmt: skip
