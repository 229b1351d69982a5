"""The catalogue of operator classes, on names that each vendor's tools write."""

import pytest

pytest.importorskip("msgspec", reason="the extra `traces` is not installed")

from steelyard_traces.classify import load_classifier

KERNELS = {
    "matmul": (
        "nvjet_hsh_128x256_64x4_1x2_h_bz_coopA_NNT",
        "void cutlass::Kernel2<cutlass_80_wmma_tensorop_bf16_s161616gemm_bf16_16x16_128x1_tn_align8>(Params)",
        "ampere_bf16_s16816gemm_bf16_128x128_ldg8_f2f_stages_32x5_tn",
        "sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64",
        "Cijk_Ailk_Bljk_BBS_BH_Bias_HAS_SAV_UserArgs_MT256x256x64",
        "rocblas_gemvt_kernel",
        "triton_tem_fused_mm_3",
    ),
    "attention": (
        "void pytorch_flash::flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel<Traits>",
        "cudnn_generated_fort_native_sdpa_sm90_flash_fprop_wgmma_f16",
        "_ZN5aiter20fmha_fwd_hd128_bf16_causalE",
        "attn_fwd",
        "bwd_kernel_dk_dv",
    ),
    "convolution": ("ampere_scudnn_128x64_relu_medium_nn_v1", "miopenSp3AsmConv_v30_3_1_gfx9", "igemm_fwd_gtcx_nhwc"),
    "norm": ("void at::native::vectorized_layer_norm_kernel<float, float>", "MIOpenBatchNormFwdTrainSpatial"),
    "all-reduce": ("ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)",),
    "reduce-scatter": ("ncclDevKernel_ReduceScatter_Sum_bf16_RING_LL(ncclDevKernelArgs)",),
    "all-gather": ("ncclKernel_AllGather_RING_LL_Sum_int8_t(ncclDevComm*)",),
    "p2p": ("ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)",),
    "other collective": ("mscclKernel_Sum_float_Simple_false", "ncclDevKernel_Generic_4"),
    "optimizer": ("void at::native::multi_tensor_apply_kernel<TensorListMetadata<4>, FusedAdamMathFunctor<float>>",),
    "memory movement": (
        "Memcpy HtoD (Pageable -> Device)",
        "__amd_rocclr_fillBufferAligned",
        "__amd_rocclr_copyBuffer",
    ),
    "format conversion": ("void cudnn::ops::nchwToNhwcKernel<float>", "batched_transpose_32x32_pack_2x2"),
    "elementwise": ("triton_poi_fused_add_mul_0", "void at::native::vectorized_elementwise_kernel<4, CUDAFunctor_add>"),
    "unmatched": ("my_own_thing",),
}
CANN = {
    "matmul": "MatMulV2 BatchMatMulV2 GroupedMatmul QuantBatchMatmulV3 TransposeBatchMatMul",
    "attention": "FlashAttentionScoreGrad PromptFlashAttention FusedInferAttentionScore SelfAttention",
    "optimizer": "ForeachAddList ForeachAddcdivList ApplyAdamWV2",
    "all-reduce": "hcom_allReduce_ MatmulAllReduce",
    "all-gather": "hcom_allGather_ AllGatherMatmul",
    "reduce-scatter": "hcom_reduceScatter_ MatMulReduceScatter",
    "all-to-all": "hcom_alltoallv_ MoeDistributeDispatchV2",
    "p2p": "hcom_send_ hcom_receive_ hcom_batchSendRecv_",
    "format conversion": "TransData TransposeD DynamicQuant AscendQuantV2 AscendDequant",
    "memory movement": "Cast TensorMove ConcatD MemSet Range RepeatInterleave",
    "norm": "RmsNormGrad LayerNormV3 AddRmsNorm BNTrainingUpdate",
    "embedding": "RotaryPositionEmbedding EmbeddingDenseGradV2 InterleaveRope",
    "softmax and loss": "SoftmaxV2 NLLLoss SoftmaxCrossEntropyWithLogits",
    "indexing": "GatherV2 ScatterElements LinearIndexV2 MoeTokenPermute UnsortedSegmentSum",
    "reduction": "ReduceSum ArgMaxV2 SquareSumV1 NonFiniteCheckOp",
    "elementwise": "SwiGlu RealDiv Pows BiasAdd SquaredDifference ReluGrad",
    "random": "DropOutDoMaskV3 DSAGenBitMask",
    "unmatched": "Oddity",
}


@pytest.mark.parametrize("class_name", KERNELS)
def test_kernels_of_cuda_and_rocm(class_name: str) -> None:
    classifier = load_classifier()
    assert {name: classifier.class_of(name, "kernel") for name in KERNELS[class_name]} == dict.fromkeys(
        KERNELS[class_name], class_name
    )


@pytest.mark.parametrize("class_name", CANN)
def test_types_of_cann(class_name: str) -> None:
    classifier, names = load_classifier(), CANN[class_name].split()
    assert {name: classifier.class_of(name, "cann") for name in names} == dict.fromkeys(names, class_name)
