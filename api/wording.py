"""Chinese and English words for verdicts, facets and codes: one place, for the command line and the web page."""

from typing import Final

FACETS: Final = {
    "integrity": ("完整性", "integrity"),
    "signature": ("签名", "signature"),
    "issuer": ("颁发机构", "issuer"),
    "inclusion": ("日志收录", "inclusion"),
    "checkpoint": ("日志检查点", "checkpoint"),
    "anchor": ("上链锚定", "anchor"),
    "validity": ("有效期", "validity"),
    "status": ("证照状态", "status"),
    "grant": ("授权", "grant"),
    "file": ("文件", "file"),
}
VERDICTS: Final = {
    "valid": ("通过", "valid"),
    "invalid": ("不通过", "invalid"),
    "undetermined": ("无法判定", "undetermined"),
    "not checked": ("未检查", "not checked"),
}
GRADES: Final = {
    "unsealed-dev": ("开发链，仅供演示", "development chain, for demonstration only"),
    "final-bft": ("联盟链最终确认", "final, sealed by the consortium's validators"),
}

_CODES: Final = {
    "ok": "无异常",
    "not-checked": "证据包中没有这一项，或未要求检查",
    "form.json": "不是规范的 JSON",
    "form.canonical": "证据包不是规范写法",
    "form.size": "超过大小上限",
    "form.member": "缺少成员，或有未知成员",
    "form.version": "版本标记不符",
    "form.base64": "base64 编码不规范",
    "form.base64url": "base64url 编码不规范",
    "signature.invalid": "签名验证不通过",
    "signature.key": "签名所用密钥不在该机构名下",
    "signature.unknown-key": "信任文件中没有该机构和该密钥",
    "issuer.unknown": "信任文件中没有该颁发机构",
    "key.unknown": "信任文件未列出该密钥",
    "key.role": "该密钥不具有此用途",
    "key.window": "签名时间不在密钥有效期内",
    "key.compromised": "密钥已泄露，且无法证明签名在此之前",
    "key.constraint": "该机构无权颁发此类材料",
    "proof.inclusion": "收录证明不成立",
    "form.receipt": "回执不完整或格式不符",
    "inclusion.no-checkpoint": "没有可信的检查点，无法判定是否收录",
    "note.signature": "检查点签名验证不通过",
    "note.unknown-key": "检查点没有可信日志的签名",
    "log.unknown": "信任文件中没有这个日志",
    "anchor.pending": "尚未上链，或证据包未附上链证明",
    "anchor.profile-unknown": "信任文件中没有这条链的信任配置",
    "anchor.not-covered": "上链证明不覆盖该检查点",
    "anchor.no-checkpoint": "上链证明成立，但没有可信检查点与之对应",
    "time.expired": "已过有效期",
    "time.not-yet": "尚未生效",
    "database.unavailable": "数据库无应答",
    "database.damaged": "数据库已损坏，无法读取",
    "file.unavailable": "文件无法读取或写入",
    "trust.expired": "信任文件已过期，请取得新的信任文件",
    "status.revoked": "已由颁发机构撤销、注销或吊销",
    "status.suspended": "暂扣中",
    "status.restricted": "已限制使用",
    "status.missing": "证据包中没有状态列表",
    "status.expired": "状态列表已过期，请取得新的证据包",
    "status.history": "状态列表晚于判定时间，请取得当时的证据包",
    "grant.missing": "要求出示授权，但证据包中没有",
    "file.missing": "要求比对文件，但未提供",
    "key.retired": "密钥已停用，但在签名时有效",
    "key.later-compromised": "密钥后来泄露，但可证明签名在此之前",
    "statement.unproved": "材料声明本身未获证实",
    "file.digest": "文件与颁发机构签名的文件不一致",
    "file.not-disclosed": "证据包未披露文件摘要，无从比对",
    "grant.purpose": "用途、事项或办件与授权不符",
    "grant.claims": "请求的字段超出授权范围",
    "grant.action": "请求的操作超出授权范围",
    "grant.material": "授权不包括这份材料",
    "grant.place": "地区、层级或部门与授权不符",
    "grant.audience": "请求方不是被授权方",
    "grant.uses": "授权次数已用完",
    "grant.revoked": "授权已撤回",
    "grant.time-expired": "授权已过期",
    "grant.key-binding": "请求方不持有授权指定的密钥",
    "grant.redelegate": "该授权不得再转授",
    "grant.depth": "转授层级超出上限",
    "grant.outlives-parent": "转授的期限超过上级授权",
    "chain.unreachable": "区块链暂时无法访问",
    "log.behind-chain": "链上的日志比本地更长：本地数据可能来自旧备份",
    "log.fork": "链上的日志与本地不同：出现分叉",
    "workspace.missing": "这里不是工作区，请先运行 ematerials init",
    "passphrase.missing": "没有密钥口令",
    "keyfile.missing": "本工作区没有所需的密钥",
    "keyfile.passphrase": "口令错误，或密钥文件被改动",
    "devchain.locked": "内置开发链正由另一进程（例如服务）使用",
    "material.unknown": "没有登记这份材料",
    "registration.no-key": "本工作区没有该机构的签发密钥",
    "form.unknown-type": "没有这种材料类型",
    "form.missing-field": "缺少必填字段",
    "form.unknown-field": "该类型没有这个字段",
    "form.code": "应为小写字母、数字与连字符组成的代码",
    "registration.identifier-taken": "该证照标识已登记了另一份内容",
}
_FAMILIES: Final = {
    "form": "格式不符",
    "sd": "选择性披露内容与签名不符",
    "signature": "签名有误",
    "note": "签名便笺有误",
    "checkpoint": "检查点有误",
    "proof": "证明不成立",
    "anchor": "上链证明不成立",
    "header": "区块头不成立",
    "key": "密钥不符合信任文件",
    "time": "时间不在允许范围内",
    "status": "状态列表或状态事件有误",
    "grant": "授权不成立",
    "file": "文件不符",
    "registration": "登记规则不允许",
    "trust": "信任文件有误",
    "vault": "加密存储有误",
    "fsck": "存储内容与推算结果不符",
    "log": "日志有误",
    "chain": "区块链访问有误",
    "usage": "使用记录有误",
    "contract": "合约拒绝",
}


def facet_words(facet: str) -> str:
    """``完整性 integrity``."""
    return " ".join(FACETS.get(facet, (facet, "")))


def verdict_words(verdict: str) -> str:
    """``通过 valid``."""
    return " ".join(VERDICTS.get(verdict, (verdict, "")))


def chinese(code: str) -> str:
    """What a code means, in Chinese; the family's meaning for a code without a line of its own."""
    return _CODES.get(code) or _FAMILIES.get(code.partition(".")[0], "未能完成")
