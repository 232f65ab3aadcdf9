"""What the name of a metric says of its better values."""

import pytest

from autolr.direction import mode_of, named_mode
from autolr.errors import ConfigError

HIGHER = """
    acc accuracy auroc auc f1 precision recall iou map bleu rouge r2 psnr ssim
    val_acc val/acc VAL_ACC val.acc valid-f1 val_top5_accuracy top5acc acc@1 acc1 Acc
    MulticlassAccuracy BinaryAUROC roc_auc F1Score macroF1 val_F1 average_precision recall@10
    mean_iou mIoU IoU iou50 val_mAP mAP50 map_50 heat_map SacreBLEUScore bleu4 rougeL rouge1 ROUGE-2
    r2_score R2Score val_r2 PSNR ssim_val val_acc/dataloader_idx_1 val_acc_epoch
"""
LOWER = """
    loss error perplexity mae mse rmse wer
    val_loss val/loss valLoss VAL_LOSS val.loss test_wer/dataloader_idx_0 val_loss_epoch nll_loss
    accumulated_loss mapped_loss MeanSquaredError WordErrorRate val-rmse top1_error loss2 Loss
"""
SILENT = """
    score val_score reward mapped accumulated accurate lossless lossy terror err mape MAPE heatmap
    recalled conf1 layer2 bf16 f16 f10 r20 fid bce ndcg lr epoch acc_loss loss/acc error_recall
    neg_mse neg_mean_squared_error neg_loss map_loss
"""


@pytest.mark.parametrize("name", HIGHER.split())
def test_a_name_with_such_a_word_says_that_higher_is_better(name: str) -> None:
    assert named_mode(name) == "max"


@pytest.mark.parametrize("name", LOWER.split())
def test_a_name_with_such_a_word_says_that_lower_is_better(name: str) -> None:
    assert named_mode(name) == "min"


@pytest.mark.parametrize("name", [*SILENT.split(), "", "_", "é", "точность", "a" * 10_000])
def test_a_name_without_such_a_word_or_with_both_kinds_says_nothing(name: str) -> None:
    assert named_mode(name) is None


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("name", ["val_loss", "val_acc", "val_score"])
def test_what_the_user_says_counts(name: str, mode: str) -> None:
    assert mode_of(name, mode) == mode


def test_a_mode_that_is_missing_is_named_in_one_line() -> None:
    with pytest.raises(ConfigError) as refused:
        mode_of("val_score", None)
    assert str(refused.value) == (
        "mode must be 'min' or 'max': the name 'val_score' does not say which values are better, "
        "got None"
    )
    with pytest.raises(ConfigError, match=r"^tune\.mode must be 'min' or 'max', got 'best'$"):
        mode_of("val_loss", "best", "tune.mode")
