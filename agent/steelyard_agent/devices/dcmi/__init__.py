"""Huawei Ascend through DCMI."""
