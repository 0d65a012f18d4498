//! Errors of MySQL and MariaDB that may hold rows which the session may not read.

use super::session::Session;
use crate::{
    session::{
        running::Does,
        unshown::{HINT, MESSAGE},
    },
    wire::mysql::error::ServerError,
};

impl Session {
    /// What is shown in place of the error with which a statement failed; `None` is the error itself.
    pub(super) fn unshown(&mut self, does: &Does, error: &ServerError) -> Option<ServerError> {
        if NAMES_ONLY.binary_search(&error.errno).is_ok() || !self.note_shown_by_errors(does) {
            return None;
        }
        Some(ServerError { message: format!("{MESSAGE}. {HINT}"), ..error.clone() })
    }
}

/// Numbers of errors that are known to tell of names, states and limits alone; in order.
///
/// Source: MySQL Server Error Message Reference; MariaDB Error Codes.
const NAMES_ONLY: &[u16] = &[
    1005, 1006, 1007, 1008, 1010, 1020, 1022, 1026, 1028, 1030, 1036, 1037, 1038, 1040, 1041, 1044, 1045,
    1046, 1047, 1048, 1049, 1050, 1051, 1052, 1053, 1054, 1055, 1056, 1057, 1058, 1059, 1060, 1061, 1063,
    1064, 1065, 1066, 1067, 1068, 1069, 1070, 1071, 1072, 1073, 1074, 1075, 1089, 1090, 1091, 1093, 1099,
    1100, 1101, 1103, 1104, 1109, 1110, 1111, 1112, 1113, 1114, 1115, 1116, 1117, 1118, 1120, 1121, 1136,
    1138, 1140, 1141, 1142, 1143, 1144, 1145, 1146, 1147, 1149, 1153, 1158, 1159, 1160, 1161, 1163, 1164,
    1166, 1167, 1170, 1171, 1173, 1175, 1176, 1191, 1192, 1194, 1195, 1205, 1206, 1207, 1210, 1213, 1214,
    1215, 1216, 1217, 1221, 1222, 1223, 1227, 1230, 1231, 1232, 1234, 1235, 1236, 1239, 1241, 1242, 1243,
    1245, 1247, 1248, 1250, 1253, 1263, 1264, 1265, 1267, 1270, 1271, 1273, 1283, 1286, 1288, 1290, 1302,
    1304, 1305, 1314, 1317, 1318, 1347, 1348, 1349, 1350, 1351, 1352, 1353, 1356, 1364, 1365, 1368, 1369,
    1370, 1390, 1393, 1394, 1395, 1396, 1397, 1399, 1406, 1415, 1422, 1423, 1424, 1427, 1436, 1442, 1443,
    1451, 1452, 1463, 1471, 1481, 1486, 1491, 1492, 1493, 1495, 1503, 1504, 1505, 1506, 1507, 1508, 1512,
    1553, 1563, 1568, 1575, 1580, 1582, 1583, 1584, 1614, 1630, 1637, 1644, 1681, 1689, 1701, 1713, 1735,
    1736, 1737, 1747, 1748, 1785, 1790, 1792, 1824, 1830, 1831, 1832, 1833, 1834, 1835, 1836, 1845, 1846,
    1853, 1854, 1927, 1969, 3024, 3105, 3106, 3572, 3636, 3730, 3732, 3733, 3734, 3780, 3819, 4025, 4031,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_hold_a_value_is_not_told() {
        assert!(NAMES_ONLY.is_sorted());
        // A duplicate, a conversion, a value that a function does not take, a date that is none, and an expression.
        for errno in [1062, 1105, 1292, 1366, 1411, 1525, 1526, 1586, 1690, 3143, 65_000] {
            assert!(NAMES_ONLY.binary_search(&errno).is_err(), "{errno}");
        }
        for errno in [1054, 1064, 1146, 1205, 1213, 1242, 1317, 1451] {
            assert!(NAMES_ONLY.binary_search(&errno).is_ok(), "{errno}");
        }
    }
}
