// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Write-once anchors of append-only logs.
/// @notice Holds, for each log (origin), the tree heads that were anchored, and takes a new one only with an RFC 9162
/// consistency proof from the last. An anchor can't be changed or removed by anyone, the governor included.
/// @dev Readers prove the storage slots themselves (layout "checkpoint-anchor/v1"), so their order is part of the
/// interface. No proxy, no immutable, no metadata: the code hash is the same on every chain.
contract CheckpointAnchor {
    struct Head {
        uint64 size;
        uint64 seq;
        uint64 blockNumber;
        uint64 time;
    }

    struct Anchor {
        bytes32 root;
        uint48 blockNumber;
        uint48 time;
        address anchorer;
    }

    struct Origin {
        address admin;
        uint64 registeredAt;
        uint8 status;
    }

    uint8 private constant ACTIVE = 1;
    uint8 private constant FROZEN = 2;

    mapping(bytes32 origin => Head) private heads; // slot 0
    mapping(bytes32 origin => mapping(uint256 size => Anchor)) private anchors; // slot 1
    mapping(bytes32 origin => Origin) private origins; // slot 2
    mapping(bytes32 origin => mapping(address anchorer => bool)) public isAnchorer; // slot 3
    address public governor; // slot 4
    address public successor; // slot 5

    event OriginRegistered(bytes32 indexed origin, string name, address admin);
    event OriginStatus(bytes32 indexed origin, uint8 status);
    event AnchorerSet(bytes32 indexed origin, address indexed anchorer, bool allowed);
    event SuccessorSet(address successor);
    event Anchored(
        bytes32 indexed origin,
        uint64 indexed size,
        bytes32 root,
        uint64 prevSize,
        bytes32 noteHash,
        address anchorer
    );

    error NotGovernor();
    error NotAdmin();
    error NotAnchorer();
    error BadOrigin();
    error BadSize();
    error BadConsistency();
    error StaleHead(uint64 currentSize);
    error Conflict(uint64 size, bytes32 storedRoot);

    constructor(address governor_) {
        governor = governor_;
    }

    /// @notice Opens an origin. Only the hash of its name is stored; the name is in the event.
    function registerOrigin(string calldata name, address admin) external returns (bytes32 origin) {
        if (msg.sender != governor) revert NotGovernor();
        origin = _sha256(bytes(name));
        Origin storage entry = origins[origin];
        if (entry.status != 0) revert BadOrigin();
        entry.admin = admin;
        entry.registeredAt = uint64(block.number);
        entry.status = ACTIVE;
        emit OriginRegistered(origin, name, admin);
    }

    /// @notice Freezes (2) or reactivates (1) a registered origin.
    function setOriginStatus(bytes32 origin, uint8 status) external {
        if (msg.sender != governor) revert NotGovernor();
        Origin storage entry = origins[origin];
        if (entry.status == 0 || (status != ACTIVE && status != FROZEN)) revert BadOrigin();
        entry.status = status;
        emit OriginStatus(origin, status);
    }

    /// @notice Names the contract that continues this one, once. It has no effect on the anchors held here.
    function setSuccessor(address s) external {
        if (msg.sender != governor || successor != address(0)) revert NotGovernor();
        successor = s;
        emit SuccessorSet(s);
    }

    /// @notice Allows or disallows an account to anchor for an origin; by the admin of that origin.
    function setAnchorer(bytes32 origin, address a, bool allowed) external {
        if (msg.sender != origins[origin].admin) revert NotAdmin();
        isAnchorer[origin][a] = allowed;
        emit AnchorerSet(origin, a, allowed);
    }

    /// @notice Anchors the tree (newSize, newRoot) of an origin.
    /// @param oldSize Size of the last anchored tree; 0 for the first anchor of the origin, which is taken on trust.
    /// @param noteHash SHA-256 of the signed checkpoint note; only emitted.
    /// @param proof RFC 9162 consistency proof from oldSize to newSize; empty for the first anchor.
    /// @return true if written, false if exactly this tree had been anchored before.
    function anchor(
        bytes32 origin,
        uint64 oldSize,
        uint64 newSize,
        bytes32 newRoot,
        bytes32 noteHash,
        bytes32[] calldata proof
    ) external returns (bool) {
        if (origins[origin].status != ACTIVE) revert BadOrigin();
        if (!isAnchorer[origin][msg.sender]) revert NotAnchorer();
        if (newSize == 0 || newRoot == 0) revert BadSize();

        Head memory head_ = heads[origin];
        mapping(uint256 => Anchor) storage anchorsOfOrigin = anchors[origin];
        Anchor storage entry = anchorsOfOrigin[newSize];
        if (newSize <= head_.size) {
            bytes32 stored = entry.root;
            if (stored == newRoot) return false;
            if (stored != 0) revert Conflict(newSize, stored);
            revert StaleHead(head_.size);
        }
        if (oldSize != head_.size) revert StaleHead(head_.size);
        if (oldSize == 0) {
            if (proof.length != 0) revert BadConsistency();
        } else if (!_isConsistent(oldSize, newSize, anchorsOfOrigin[oldSize].root, newRoot, proof)) {
            revert BadConsistency();
        }

        entry.root = newRoot;
        entry.blockNumber = uint48(block.number);
        entry.time = uint48(block.timestamp);
        entry.anchorer = msg.sender;
        heads[origin] = Head(newSize, head_.seq + 1, uint64(block.number), uint64(block.timestamp));
        emit Anchored(origin, newSize, newRoot, oldSize, noteHash, msg.sender);
        return true;
    }

    /// @notice The newest anchored tree of an origin; size 0 if there is none.
    function head(bytes32 origin)
        external
        view
        returns (uint64 size, bytes32 root, uint64 seq, uint64 blockNumber, uint64 time)
    {
        Head memory h = heads[origin];
        return (h.size, anchors[origin][h.size].root, h.seq, h.blockNumber, h.time);
    }

    /// @notice The anchor of an origin at one size; root 0 if there is none.
    function anchored(bytes32 origin, uint64 size)
        external
        view
        returns (bytes32 root, uint64 blockNumber, uint64 time, address anchorer)
    {
        Anchor memory a = anchors[origin][size];
        return (a.root, a.blockNumber, a.time, a.anchorer);
    }

    /// @notice Who administers an origin, the block that registered it, and its status (0 unknown, 1 active, 2 frozen).
    function originInfo(bytes32 origin) external view returns (address admin, uint64 registeredAt, uint8 status) {
        Origin memory entry = origins[origin];
        return (entry.admin, entry.registeredAt, entry.status);
    }

    /// @dev RFC 9162 section 2.1.4.2, for 0 < m < n. Step numbers are those of the RFC.
    function _isConsistent(uint256 m, uint256 n, bytes32 oldRoot, bytes32 newRoot, bytes32[] calldata proof)
        private
        view
        returns (bool)
    {
        unchecked {
            // 2 to 4: an old tree of 2^k leaves is itself the first node of the path.
            uint256 next = m & (m - 1) == 0 ? 0 : 1;
            if (proof.length < next) return false;
            uint256 fn = m - 1;
            uint256 sn = n - 1;
            while (fn & 1 == 1) {
                fn >>= 1;
                sn >>= 1;
            }
            // 5
            bytes32 fr = next == 0 ? oldRoot : proof[0];
            bytes32 sr = fr;
            // 6
            for (; next < proof.length; ++next) {
                if (sn == 0) return false;
                bytes32 c = proof[next];
                if (fn & 1 == 1 || fn == sn) {
                    fr = _node(c, fr);
                    sr = _node(c, sr);
                    while (fn & 1 == 0 && fn != 0) {
                        fn >>= 1;
                        sn >>= 1;
                    }
                } else {
                    sr = _node(sr, c);
                }
                fn >>= 1;
                sn >>= 1;
            }
            // 7
            return fr == oldRoot && sr == newRoot && sn == 0;
        }
    }

    /// @dev SHA-256(0x01 || left || right), by precompile 2. A call to an address without code "succeeds" and returns
    /// nothing, so that stale memory would be read as a hash: hence the look at the size of what was returned.
    function _node(bytes32 left, bytes32 right) private view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 1)
            mstore(add(at, 1), left)
            mstore(add(at, 33), right)
            if iszero(staticcall(gas(), 2, at, 65, 0, 32)) { revert(0, 0) }
            if iszero(eq(returndatasize(), 32)) { revert(0, 0) }
            hash := mload(0)
        }
    }

    /// @dev SHA-256 of bytes in the calldata, with the same check.
    function _sha256(bytes calldata data) private view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            calldatacopy(at, data.offset, data.length)
            if iszero(staticcall(gas(), 2, at, data.length, 0, 32)) { revert(0, 0) }
            if iszero(eq(returndatasize(), 32)) { revert(0, 0) }
            hash := mload(0)
        }
    }
}
