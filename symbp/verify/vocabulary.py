"""The words of formulas: commands, characters and environments, and the token that each is."""
from __future__ import annotations

GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta", "ι": "iota",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "υ": "upsilon",
    "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi",
    "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega", "ϵ": "epsilon", "ϕ": "phi", "ℓ": "ell", "ς": "sigma",
}
"""Greek letters by their character."""
SAME = {
    "varepsilon": "epsilon", "varphi": "phi", "vartheta": "theta", "varsigma": "sigma", "ell": "l", "mathscr": "mathcal",
}
"""Commands that mean another one."""
RAISED = {
    "⁰": "0", "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8", "⁹": "9", "⁺": "+", "⁻": "-", "⁽": "(",
    "⁾": ")", "ᵀ": "T", "ᵗ": "t", "ⁿ": "n", "ⁱ": "i", "ˡ": "l", "ᴸ": "L", "ᵏ": "k", "ʲ": "j", "⊤": "⊤",
}
"""Raised characters."""
LOWERED = {
    "₀": "0", "₁": "1", "₂": "2", "₃": "3", "₄": "4", "₅": "5", "₆": "6", "₇": "7", "₈": "8", "₉": "9", "₊": "+", "₋": "-", "₍": "(",
    "₎": ")", "ₐ": "a", "ₑ": "e", "ₕ": "h", "ᵢ": "i", "ⱼ": "j", "ₖ": "k", "ₗ": "l", "ₘ": "m", "ₙ": "n", "ₒ": "o", "ₚ": "p", "ᵣ": "r",
    "ₛ": "s", "ₜ": "t", "ᵤ": "u", "ᵥ": "v", "ₓ": "x",
}
"""Lowered characters."""
FONTS = {
    "bf", "bm", "boldmath", "boldsymbol", "hbox", "mathbf", "mathcal", "mathfrak", "mathit", "mathrm", "mathscr", "mathsf", "mathtt",
    "mbox", "operatorname", "pmb", "rm", "symbf", "symup", "text", "textbf", "textit", "textrm", "textsf", "texttt", "underline",
    "vec",
}
"""Commands that change the font only."""
ACCENTS = {
    "hat": "hat", "widehat": "hat", "tilde": "tilde", "widetilde": "tilde", "bar": "bar", "overline": "bar", "dot": "dot",
    "check": "check", "ddot": "ddot",
}
"""Accents over a letter, and what they add to its name."""
COMBINING = {
    "̂": "hat", "̃": "tilde", "̄": "bar", "̇": "dot", "̅": "bar",
}
"""The same as combining characters."""
DROPPED = {
    " ", "!", "(", ")", ",", ":", ";", ">", "Big", "Bigg", "Biggl", "Biggr", "Bigl", "Bigr", "[", "]", "big", "bigg", "biggl", "biggr",
    "bigl", "bigm", "bigr", "displaylimits", "displaystyle", "enspace", "hfill", "hspace", "left", "limits", "mathbin", "mathclose",
    "mathop", "mathopen", "mathrel", "mathstrut", "middle", "nolimits", "nonumber", "notag", "qquad", "quad", "right", "scriptstyle",
    "textstyle", "thinspace",
}
"""Commands of typography."""
WITH_ARGUMENT = {
    "hphantom", "hspace", "label", "phantom", "tag", "vphantom", "vspace",
}
"""Commands of typography that take an argument."""
SIGNS = {
    "cdot": "DOT", "times": "CROSS", "odot": "ODOT", "circ": "ODOT", "ast": "STAR", "otimes": "OTIMES", "bullet": "DOT", "div": "OVER",
    "frac": "FRAC", "dfrac": "FRAC", "tfrac": "FRAC", "cfrac": "FRAC", "sqrt": "SQRT", "sum": "BIG", "prod": "BIG",
    "partial": "PARTIAL", "nabla": "NABLA", "prime": "PRIME", "leftarrow": "BECOMES", "gets": "BECOMES", "coloneqq": "DEFINED",
    "triangleq": "DEFINED", "equiv": "DEFINED", "doteq": "DEFINED", "le": "CMP", "leq": "CMP", "leqslant": "CMP", "ge": "CMP",
    "geq": "CMP", "geqslant": "CMP", "ne": "CMP", "neq": "CMP", "lt": "CMP", "gt": "CMP", "lVert": "LNORM", "rVert": "RNORM",
    "lvert": "LBAR", "rvert": "RBAR", "langle": "LP", "rangle": "RP", "lbrace": "LS", "rbrace": "RS", "{": "LS", "}": "RS",
    "top": "SYM", "intercal": "SYM", "mid": "MID", "in": "IN", "to": "TO", "rightarrow": "TO", "colon": "COLON", "lbrack": "LB",
    "rbrack": "RB", "ldots": "DOTS", "cdots": "DOTS", "dots": "DOTS", "vdots": "DOTS", "pm": "PM", "mp": "PM", "dagger": "SYM",
    "backslash": "OVER",
}
"""Commands that are a token of their own."""
REFUSED = {
    "propto": "is proportional to, which is no equality", "approx": "is about, which is no equality",
    "sim": "says how something is distributed", "simeq": "is about, which is no equality", "cong": "is congruent to",
    "Rightarrow": "is an implication", "implies": "is an implication", "int": "is an integral", "lim": "is a limit",
    "infty": "is infinity", "iff": "is an equivalence", "forall": "is a quantifier", "mathbb{E}": "is an expectation",
}
"""Commands that state no equality."""
UNICODE = {
    "∂": "PARTIAL", "∇": "NABLA", "⊙": "ODOT", "∘": "ODOT", "·": "DOT", "⋅": "DOT", "×": "CROSS", "⊗": "OTIMES", "∗": "STAR",
    "−": "MINUS", "–": "MINUS", "÷": "OVER", "′": "PRIME", "←": "BECOMES", "≔": "DEFINED", "≜": "DEFINED", "≡": "DEFINED", "≤": "CMP",
    "≥": "CMP", "≠": "CMP", "Σ": "BIG", "∑": "BIG", "∏": "BIG", "√": "SQRT", "‖": "NORM", "∥": "NORM", "(": "LP", ")": "RP",
    ",": "COMMA", "=": "EQ", "：": "COLON", "∈": "IN", "→": "TO",
}
"""Characters that are a token of their own."""
PLAIN = {
    "+": "PLUS", "-": "MINUS", "*": "STAR", "/": "OVER", "=": "EQ", "<": "CMP", ">": "CMP", "(": "LP", ")": "RP", "[": "LB", "]": "RB",
    "{": "LG", "}": "RG", "^": "UP", "_": "DOWN", ",": "COMMA", ";": "COMMA", "'": "PRIME", "’": "PRIME", "&": "AMP", "|": "BAR",
    "!": "BANG", ":": "COLON",
}
"""The same in ASCII."""
VALUE = {
    "le": "<=", "leq": "<=", "leqslant": "<=", "≤": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=", "≥": ">=", "ne": "!=",
    "neq": "!=", "≠": "!=", "lt": "<", "gt": ">", "sum": "sum", "Σ": "sum", "∑": "sum", "prod": "prod", "∏": "prod", "top": "⊤",
    "intercal": "⊤", "dagger": "⊤",
}
"""What a token says where that is not its own text."""
WORDS = (
    "new", "old",
    "softmax", "sigmoid", "logistic", "tanh", "sech", "cosh", "sinh", "exp", "log", "ln", "diag", "relu", "ReLU", "ReLu", "Relu",
    "LeakyReLU", "sin", "cos", "max", "min", "mean", "sqrt", "softplus", "sign", "sgn", "erf", "abs", "trace", "Tr", "tr", "otherwise",
    "if", "else", "for", "and", "sum", "step", "silu", "gelu", "swish", "elu", "leaky_relu", "Softmax", "Sigmoid", "Tanh", "rot180",
    "vec", "var", "Var", "logsumexp", "argmax", "argmin", "sigm", "identity", "BatchNorm", "concat", "maximum", "minimum", "flip",
    "ELU", "GELU", "SiLU", "Swish", "Softplus", "SoftPlus", "prod",
    "when", "where", "dot", "outer", "transpose", "power", "square", "multiply", "np", "Diag",
)
"""Words that are one symbol."""
MATRICES = (
    "pmatrix", "bmatrix", "matrix", "vmatrix", "Vmatrix", "smallmatrix", "Bmatrix", "array", "aligned", "align", "equation", "split",
    "gathered", "align*", "equation*", "gather", "gather*", "eqnarray",
)
"""Environments of matrices, and those that only lay out."""
IGNORED = {
    "align", "align*", "aligned", "eqnarray", "equation", "equation*", "gather", "gather*", "gathered", "split",
}
"""Environments that only lay out."""
KEYWORDS = {
    "if": "IF", "for": "IF", "when": "IF", "where": "IF", "otherwise": "OTHERWISE", "else": "OTHERWISE", "and": "AND",
}
"""Words between the cases of a definition."""
SIGN_OF = {
    "DOT": "dot", "CROSS": "times", "STAR": "star", "OVER": "over", "OTIMES": "otimes",
}
"""Kinds of tokens that are a sign of multiplication or division."""
