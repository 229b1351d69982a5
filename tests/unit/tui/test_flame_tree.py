"""The tree of an icicle adds up, and so does what is drawn of it, at any width and zoom."""

import random
from itertools import pairwise

from steelyard_tui.flame.layout import LEAST, Cell, Row, View, cell_at, lay_out, span_of
from steelyard_tui.flame.names import class_of, family_of, folded, short
from steelyard_tui.flame.shown import Shown, compared
from steelyard_tui.flame.sums import find, own_sums
from steelyard_tui.flame.tree import ROOT, Tree, Weighted, build_tree

STACKS = (
    Weighted(("main", "forward", "layer[0]", "mm"), 400),
    Weighted(("main", "forward", "layer[1]", "mm"), 200),
    Weighted(("main", "forward", "layer[1]", "add"), 50),
    Weighted(("main", "forward"), 30),
    Weighted(("main", "backward", "mm"), 300),
    Weighted(("load",), 20),
)


def _random_stacks(seed: int, count: int) -> list[Weighted]:
    chance = random.Random(seed)
    return [
        Weighted(tuple(f"f{chance.randrange(6)}" for _ in range(chance.randrange(1, 9))), chance.randrange(1, 1000))
        for _ in range(count)
    ]


def _node(tree: Tree, *path: str) -> int:
    node = ROOT
    for name in path:
        node = next(child for child in range(tree.children[node], tree.children[node + 1]) if tree.name(child) == name)
    return node


def test_each_node_is_what_is_below_it_and_its_own() -> None:
    for seed in range(5):
        stacks = _random_stacks(seed, 300)
        tree = build_tree(stacks)
        assert tree.total[ROOT] == sum(stack.weight for stack in stacks) == tree.own.sum()
        for node in range(tree.nodes):
            children = range(tree.children[node], tree.children[node + 1])
            assert all(tree.parent[child] == node for child in children)
            assert tree.total[node] == tree.own[node] + sum(tree.total[child] for child in children)
            weights = [int(tree.total[child]) for child in children]
            assert weights == sorted(weights, reverse=True)
            starts = [int(tree.start[child]) for child in children]
            assert starts == [int(tree.start[node]) + sum(weights[:at]) for at in range(len(weights))]


def test_numbers_of_layers_are_one_where_wanted() -> None:
    plain = build_tree(STACKS)
    assert plain.total[_node(plain, "main", "forward", "layer[0]")] == 400
    tree = build_tree(STACKS, renamed=folded)
    layer = _node(tree, "main", "forward", "layer[*]")
    assert tree.total[layer] == 650
    assert tree.total[_node(tree, "main", "forward", "layer[*]", "mm")] == 600
    assert tree.path(layer) == [ROOT, _node(tree, "main"), _node(tree, "main", "forward"), layer]
    assert tree.depth(layer) == 3


def test_from_the_leaf_on_callers_stand_below() -> None:
    tree = build_tree(STACKS, from_leaf=True)
    mm = _node(tree, "mm")
    assert tree.total[mm] == 900
    assert tree.total[_node(tree, "mm", "backward", "main")] == 300
    sums = {row.name: row.weight for row in own_sums(tree, View(), from_leaf=True)}
    assert sums == {"mm": 900, "add": 50, "forward": 30, "load": 20}
    assert {row.name: row.weight for row in own_sums(tree, View(mm), from_leaf=True)} == {"main": 900}


def _check(tree: Tree, view: View, rows: list[Row], width: int) -> None:
    begin, end = span_of(tree, view)
    for row in rows:
        for cell, after in pairwise(row):
            assert cell.right <= after.left
        for cell in row:
            assert 0 <= cell.left <= cell.right <= width
            if not cell.merged and row is not rows[0]:
                left = (int(tree.start[cell.node]) - begin) * width / (end - begin)
                assert abs(cell.left - left) <= 0.5
    for above, row in pairwise(rows):
        assert all(any(over.left <= cell.left and cell.right <= over.right for over in above) for cell in row)


def test_cells_stand_under_their_callers_and_lose_no_time() -> None:
    for seed in range(5):
        tree = build_tree(_random_stacks(seed, 400))
        for width in (10, 80, 200):
            for view in (View(), View(1), View(int(tree.levels[2])), View(ROOT, 2)):
                rows = lay_out(tree, view, width, 20)
                _check(tree, view, rows, width)
                children = tree.total[tree.children[view.node] + view.skip : tree.children[view.node + 1]]
                drawn = sum(cell.right - cell.left for cell in rows[1]) if len(rows) > 1 else 0
                begin, end = span_of(tree, view)
                assert abs(drawn - int(children.sum()) * width / (end - begin)) <= 1


def test_narrow_siblings_are_one_cell_of_their_summed_width() -> None:
    stacks = [Weighted(("big",), 900), *(Weighted((f"small{n}",), 1) for n in range(100))]
    tree = build_tree(stacks)
    row = lay_out(tree, View(), 100, 5)[1]
    assert [(cell.right - cell.left, cell.merged) for cell in row] == [(90, 0), (10, 100)]
    view = row[1].view(tree)
    assert view == View(ROOT, 1)
    assert span_of(tree, view) == (900, 1000)
    inside = lay_out(tree, view, 400, 5)[1]
    assert len(inside) == 100
    assert min(cell.right - cell.left for cell in inside) >= LEAST
    assert cell_at(inside, 0) == Cell(0, 4, row[1].node)
    assert cell_at(inside, 400) is None


def test_a_change_is_of_both_profiles() -> None:
    a = Shown("a", (Weighted(("f", "x"), 10), Weighted(("f", "gone"), 10)))
    b = Shown("b", (Weighted(("f", "x"), 30), Weighted(("f", "new"), 10)))
    both = compared(a, b)
    tree = build_tree(both.stacks, has_before=True)
    assert tree.before is not None
    assert (tree.total[ROOT], tree.before[ROOT]) == (40, 20)
    rows = {row.name: (row.weight, row.before) for row in own_sums(tree, View())}
    assert rows == {"x": (30, 10), "new": (10, 0), "gone": (0, 10)}
    other = both.swapped()
    assert (other.title, other.before) == ("a", "b")
    assert build_tree(other.stacks, has_before=True).total[ROOT] == 20


def test_a_search_counts_no_frame_twice() -> None:
    stacks = (*STACKS, Weighted(("main", "mm", "mm"), 100))
    tree = build_tree(stacks)
    found = find(tree, View(), "MM")
    assert found.weight == 1000
    assert [int(tree.total[node]) for node in found.nodes] == [400, 300, 200, 100]
    assert find(tree, View(_node(tree, "main", "backward")), "mm").weight == 300
    assert find(tree, View(), "nowhere").nodes == ()
    assert find(build_tree(()), View(), "x").nodes == ()


def test_nothing_recorded_is_drawn_as_nothing() -> None:
    tree = build_tree(())
    assert lay_out(tree, View(), 80, 10) == []
    assert own_sums(tree, View()) == []


def test_names_are_short_and_keep_what_tells_them_apart() -> None:
    assert short("torch/nn/modules/module.py(1736): _call_impl") == "_call_impl module.py:1736"
    assert short("forward (model/train.py:12)") == "forward train.py:12"
    assert short("nn.Module: Linear_0") == "Linear_0"
    assert short("<built-in method run_backward of torch._C._EngineBase object at 0x7f>") == "run_backward"
    assert short("ncclDevKernel_AllReduce(ncclDevComm*, unsigned long)") == "ncclDevKernel_AllReduce"
    assert short("void cutlass::Kernel<cutlass_80_tensorop_gemm>(Params)") == "cutlass_80_tensorop_gemm"
    add = (
        "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>, std::array<char*>>(int)"
    )
    assert short(add) == "vectorized_elementwise_kernel<CUDAFunctor_add>"
    assert short("Memcpy HtoD (Host -> Device)") == "Memcpy HtoD (Host -> Device)"
    assert short("enumerate(DataLoader)#_Iter.__next__") == "enumerate(DataLoader)#_Iter.__next__"


def test_only_numbers_that_count_are_folded() -> None:
    assert folded("layer[17]") == "layer[*]"
    assert folded("ProfilerStep#12") == "ProfilerStep#*"
    assert folded("model.layers.3.mlp") == "model.layers.*.mlp"
    assert folded("nn.Module: Linear_12") == "nn.Module: Linear_*"
    assert folded("train.py(12): step") == "train.py(12): step"
    assert folded("ampere_sgemm_32x128_nt") == "ampere_sgemm_32x128_nt"


def test_colours_are_by_class() -> None:
    assert family_of(class_of("aten::addmm")) == "matmul"
    assert family_of(class_of("ncclDevKernel_AllGather_RING_LL")) == "collective"
    assert family_of(class_of("all-reduce")) == "collective"
    assert family_of(class_of("train.py(3): attention_step")) == "python"
    assert family_of(class_of("never_heard_of")) == "other"
