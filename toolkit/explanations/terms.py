"""The field's words as this toolkit means them: the strings of the glossary, and of every panel's terms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A word of the field, as this toolkit means it.

    Attributes:
        name: the word.
        says: what it means here, in one or two sentences.
        formula: in one line, "" for none.
        reference: where it comes from, by paper and section, "" for what everybody says.
    """

    name: str
    says: str
    formula: str = ""
    reference: str = ""

    def __repr__(self) -> str:
        more = "".join(f"\n    {part}" for part in (self.formula, self.reference) if part)
        return f"{self.name}: {self.says}{more}"

    def _repr_markdown_(self) -> str:
        return markdown_of(self)


def markdown_of(term: Term) -> str:
    """A term as a paragraph of Markdown."""
    formula = f" `{term.formula}`" if term.formula else ""
    reference = f" *({term.reference})*" if term.reference else ""
    return f"**{term.name}.** {term.says}{formula}{reference}"


SOURCES = (
    "G24: Gandelsman, Efros, Steinhardt, Interpreting CLIP's Image Representation via Text-Based Decomposition (arXiv "
    "2310.05916). R25: Model Editing for CLIP with Unknown Spurious Correlations in Visual Encoder (ICLR 2025 "
    "submission). LTC: Locate-Then-Correct (arXiv 2505.17425). Y23: Yang et al., Mitigating Spurious Correlations in "
    "Multi-modal Models during Fine-tuning (ICML 2023). M23: McGrath et al., The Hydra Effect (arXiv 2307.15771)."
)

TERMS: tuple[Term, ...] = (
    # the model
    Term("embedding", "The d numbers the model gives for an image or a text. Parts are on the unit scale: divided by "
         "the length R of the image's embedding, so that they sum to a vector of length 1.", "E / R, R = ‖E‖"),
    Term("patch", "One square of the grid an image is cut into; the image tower reads one token per patch."),
    Term("class token", "The extra token in front of the patches whose last state becomes the embedding. Other models "
         "pool by an average, or by a probe's attention."),
    Term("layer", "One block of the image tower: attention, then an MLP. Counted from 0."),
    Term("head", "One of the parallel attention units of a layer. Its contribution to the embedding is a part of its "
         "own.", "c = mix A / (σR), A = W_O C diag(γ) P", "G24 §3, R25 eq. 1–4"),
    Term("head name", "L3.H7 is head 7 of layer 3, both counted from 0."),
    Term("residual stream", "The running state of every token, to which each attention layer and MLP only adds; that "
         "is why an embedding can be taken apart."),
    Term("mix", "What a head gathers before its output projection: the values of all tokens, weighted by its "
         "attention. k numbers, which is all a store keeps of a head.", "mix = Σₙ aₙ vₙ", "G24 §3"),
    Term("rank", "How many independent directions a head writes in over the images: at most k in the convention "
         "separate, k + 3 in reference. No text is picked beyond it."),
    Term("convention", "How the last norm's mean and the biases are shared out. Separate (the default): every part "
         "drops its own mean and biases are parts of their own; reference: they are shared equally, as in G24's code. "
         "Both have the same sum, but single parts and scores differ."),
    Term("bias and constant parts", "In the convention separate the attention's output biases are one part a layer "
         "and the last norm's bias is one constant; in reference both are shared out over the other parts."),
    Term("direct sum exactness", "All parts together are the model's own embedding, up to rounding; a sum that misses "
         "by more is an error. parts.error says by how much it misses.",
         "Σ heads + Σ MLPs + Σ biases + constant + residual = E / R", "G24 eq. 4–5, R25 eq. 1–4"),
    Term("cosine", "The inner product of two vectors of length 1; of an image and a text it says how well they fit. "
         "Maps, parts and scores are on this scale.", "cos(E, T) = E·T / (‖E‖ ‖T‖)"),
    Term("logit", "A cosine times the checkpoint's scale s; a softmax over the classes makes probabilities of them.",
         "s · cos(E, T)"),
    # words
    Term("bank", "The texts a head may be described with. A list of texts is never better than its bank."),
    Term("TextSpan", "Picks for a head, one after the other, the text along which its contributions vary most, and "
         "takes that direction out before the next.", "score(t)² = tᵀ Σ t", "G24 alg. 1"),
    Term("span", "The directions the picked texts open up together; what lies in it is what these texts can explain."),
    Term("explained variance", "The share of a head's variance over the images that lies in the span of the texts "
         "so far. A first text at 8 % is no label.", "Σ ‖Proj(c − c̄)‖² / Σ ‖c − c̄‖²", "G24"),
    # mistakes and scores
    Term("group", "Images that belong together in a table of accuracies, such as landbirds on water; labels where a "
         "data set names no groups."),
    Term("worst group", "The group with the lowest accuracy. Its interval takes the minimum inside every resample."),
    Term("average", "An accuracy over groups, always with its convention: plain is the mean over images, group_mean "
         "the mean over groups, train_weighted the mean over groups weighted by their training sizes.", "",
         "Sagawa et al. 2020"),
    Term("interval", "Where the true value may well lie: Wilson's for one accuracy, a bootstrap (images drawn again "
         "inside groups) for others, all at 95 % by default.", "", "Wilson 1927"),
    Term("paired interval", "A bootstrap of a change in which the same images are drawn before and after, so that what "
         "both share cancels."),
    Term("split", "Which pool the images come from, such as edit, val or test. Nothing is chosen on the images that "
         "judge it, or the panel says so."),
    Term("W, C, A", "The three sets of a pair (true y, predicted ŷ): W the images of y taken for ŷ, C those of y taken "
         "for y, A those of ŷ taken for ŷ.", "", "R25 §3.2"),
    Term("DE_A … DE_D", "Four scores of a head: how the cosine with y against ŷ moves when the head's contribution is "
         "replaced by its mean over another set. They often disagree.",
         "DE_A = mean over W of Δ(y, c̄_C) − Δ(ŷ, c̄_C)", "R25 §3.2"),
    Term("badness", "A score with the sign at which plus means: pushes towards the error. Heads are ranked by it.",
         "A, −B, C, −D", "R25 §3.2"),
    Term("stability", "In which share of the bootstrap samples of the images a head is among the worst (15 by "
         "default); of a text, in which share it is picked for its head."),
    Term("utility U", "How much more an image's embedding fits its own class than the others once heads are off, "
         "averaged over labelled images.", "U = mean [cos(E′, T_y) − mean over y′ ≠ y of cos(E′, T_y′)]", "R25 alg. 1"),
    Term("Algorithm 1", "Ranks the heads by each of the four scores and takes, of all beginnings of these lists (up "
         "to 15 heads), the one with the largest utility. Here no head at all is compared too.", "", "R25 alg. 1"),
    Term("LTC", "Locate-Then-Correct: every image votes for the head whose own logit difference speaks most for the "
         "prediction; of groups in which class and cue disagree, heads that win clearly more often among the wrong "
         "images than among the right ones are spurious.",
         "V_W − V_C > 1/q", "LTC §3"),
    Term("shortcut", "A cue that goes along with the class in training but is not the class, such as water behind a "
         "waterbird."),
    # switching off
    Term("direct effect", "What a head's own summand does. Switched off in the sum; later layers, σ and R stay as they "
         "were, so it needs no run of the model.", "E′ = E − Σ c over the heads that are off", "R25 eq. 5"),
    Term("total effect", "The model is run again with the head changed at every token, so later layers react; some of "
         "them compensate.", "", "M23"),
    Term("zero-ablation", "The head's contribution is taken away, with its mean; that may favour a class by itself."),
    Term("mean-ablation", "The head's contribution is replaced by its mean over reference images, by default the "
         "images judged."),
    Term("resample-ablation", "The head's contribution is replaced by that of another, random image."),
    Term("strength", "How much of a head stays: 0 is off, 1 as it is, 2 doubled. What is missing is nothing, "
         "the mean, or another image's.", "E′ = E − (1 − strength) (c − replacement)"),
    # where
    Term("token map", "What every patch gave to the cosine with a text through the heads' direct path. Signed; patches "
         "and rest sum to the cosine.", "aₙ (vₙ · A T) / (σR) for patch n", "G24 §3.3"),
    Term("contrast (against)", "A second text that is taken away from the first. Without one a map shows much that "
         "raises every text's cosine.", "T − T′"),
    Term("rest", "What a token map gives to no patch: class token, embedding term, MLPs, biases, and the heads left "
         "out."),
    Term("Grad-CAM", "A layer's channels weighted by the mean gradient of the cosine. Here raw and signed; it sums to "
         "nothing.", "Σ_k w_k A_k, w_k = mean ∂S/∂A_k", "Selvaraju et al. 2017"),
    Term("LeGrad", "The positive gradient of the cosine with respect to attention, averaged over heads, queries and "
         "layers.", "", "arXiv 2404.03214"),
    Term("GAME", "Attention times its gradient, positive part, carried through the layers.", "R ← R + Ā R",
         "Chefer et al. 2021"),
    Term("rollout", "The product over layers of mean attention plus identity. The same for every text: a baseline.",
         "Π (Ā + I) / 2", "Abnar and Zuidema 2020"),
    # the edit
    Term("pointing game", "The share of images in which the strongest pixel of a map lies on the object."),
    Term("mIoU", "Map and mask as two sets of pixels each, object and rest: their overlap over their union, averaged. "
         "A map counts as object where it is above its own mean.", "", "G24"),
    Term("AIoU", "Whether the map of the true class covers the object better than that of the best other class; 0.5 is "
         "a tie.", "IoU_y / (IoU_y + max over y′ ≠ y of IoU_y′)", "Y23 eq. 8–9"),
    Term("insertion and deletion", "How a score rises or falls as patches come back or go in the order of a map. A "
         "random order is the control.", "", "Petsiuk et al. 2018"),
    Term("ROAD", "Deletion by pixels, with holes filled from their surroundings, so that the hole itself is no cue.",
         "", "Rong et al. 2022"),
    Term("η²", "The share of a head's variance that lies between the images of different values of a factor, such as "
         "the background; in factorial scenes no factor goes with any other.", "Σ n_g ‖c̄_g − c̄‖² / Σ ‖c − c̄‖²"),

    Term("θ (diagonal edit)", "One factor for every dimension of the image embedding, learned from a few labelled "
         "images. It starts at 1 and depends on its settings alone.", "y = θ ⊙ E, then normalised", "R25 §3.3"),
    Term("α", "The weight of success in the loss of an edit; 0 turns it off.",
         "L = L_CE + α L_success + β L_locality", "R25 eq. 11–13"),
    Term("β", "The weight of locality in the loss of an edit; 0 turns it off.",
         "L = L_CE + α L_success + β L_locality", "R25 eq. 11–13"),
    Term("success", "As a loss: the wrong images W come to what the model says of them without the heads chosen. As a "
         "measure: accuracy on the target classes, of images the edit was not made from where others are held out.",
         "mean over W of KL(g(E′) ‖ g(θ ⊙ E))", "R25 eq. 11–13"),
    Term("locality", "As a loss: the right images C ∪ A keep what the model says of them. As a measure: accuracy on "
         "the other classes, and the share of predictions there that stay.",
         "mean over C ∪ A of KL(g(E) ‖ g(θ ⊙ E))", "R25 eq. 11–13"),
    Term("frontier", "Of a grid of edits over α and β, those that no other beats in one measure without losing in the "
         "other. R25 fig. 7–8 vary α and β.", "", "R25 fig. 7–8"),
    Term("fold", "To write an edit into the weights, so that it becomes an ordinary checkpoint. Into the "
         "projection that is exact; strengths go into the output projections of heads, and later layers react.",
         "P ← P diag(θ)", "R25 §3.3"),
    Term("edit of strengths", "One number for every head chosen: how much of its contribution stays. Fitted with the "
         "same three losses as the diagonal edit, and read at a glance: “L3.H7 × 0.2”.", "y = E + Σ (g − 1) c"),
    Term("edit of directions", "A few numbers a head: how much stays of it along the directions in which the few "
         "images are largest there.", "c′ = c + q V diag(γ − 1) Vᵀ A"),
    Term("cure", "Whatever is done about a kind of mistakes: words taken out, heads off, an edit, a cache, a probe. In "
         "`tk.methods` each has one interface."),
    Term("dial", "The one number a fitted cure is turned by. At its start the cure is the model as it is, exactly, so "
         "that all cures are paths from one origin."),
    Term("ledger", "What a cure was told and what it cost: labelled images, group labels, validation images, texts, "
         "parameters, seconds."),
    Term("placebo", "The same cure told nothing: random directions, heads or words, shuffled labels. What it reaches "
         "is the chance level of the cure."),
    Term("keyword", "A text that images of a mistake have in common: they are nearer to it than right images of the "
         "same class are.", "100 (mean over wrong E · a − mean over right E · a)", "B2T: Kim et al. 2024"),
    Term("circularity", "The model that is wrong is asked what its mistakes have in common. A word near the class it "
         "predicted then scores high, whatever is in the images; shown beside it: the word without that direction."),
    Term("permutation test", "How often a score as high comes up where right and wrong are shuffled among the same "
         "images; where few ways are possible, all of them are counted."),
    Term("false discovery rate", "q: of the rows up to this one, the share that is expected to be there by chance.",
         "q = min over later rows of p m / rank", "Benjamini and Hochberg 1995"),
    Term("label suspect", "An image whose keyword lies nearer to what was predicted than to its label. A suspect and "
         "nothing more: look at it.", "cos(a, T_predicted) − cos(a, T_true)", "B2T: Kim et al. 2024"),
    Term("RoboShot", "A cure told pairs of words: the direction between them is taken out of every image.", "",
         "Adila et al. 2024"),
    Term("GroupDRO", "A cure told groups: class vectors that make the worst group's loss small.", "",
         "Sagawa et al. 2020"),
    Term("class vectors (edit)", "The vectors of the target classes are moved and the images left alone.",
         "T′ = θ / ‖θ‖"),
)  # fmt: skip
ALSO = {
    **{f"DE_{letter}": "DE_A … DE_D" for letter in "ABCD"}, **dict.fromkeys(("W", "C", "A"), "W, C, A"),
    "theta": "θ (diagonal edit)", "θ": "θ (diagonal edit)", "diagonal edit": "θ (diagonal edit)", "alpha": "α",
    "beta": "β", "contrast": "contrast (against)", "against": "contrast (against)", "utility": "utility U",
    "biases": "bias and constant parts", "constant": "bias and constant parts", "ablation": "zero-ablation",
}  # fmt: skip
"""Other names under which a term is looked up."""
