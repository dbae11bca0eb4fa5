/* The body of the checks "values" and "decimals", which the test sends and the plugin knows. */
#ifndef IQ_TESTS_SDK_CONFORMANCE_VALUES_H
#define IQ_TESTS_SDK_CONFORMANCE_VALUES_H

/* clang-format off */
#define CONFORMANCE_VALUES(check)                                          \
  "{ \"type\" :\t\"test.conformance\", \"details\": {\"check\":\"" check "\"},\r\n" \
  "  \"values\": {"                                                        \
  "\"null\": null, \"true\": true, \"false\": false, \"zero\": 0, "        \
  "\"largest\": 9223372036854775807, \"smallest\": -9223372036854775808, " \
  "\"beyond\": 9223372036854775808, \"below\": -9223372036854775809, "     \
  "\"huge\": 18446744073709551616, \"half\": 0.5, \"whole\": 1.0, "        \
  "\"power\": 1e2, \"text\": \"Gr\xC3\xBC\xC3\x9F" "e \\\"\\u00fc\\\"\\n\", " \
  "\"empty\": \"\", \"object\": { \"a\" : [1, {\"b\": 2}] }, "             \
  "\"array\": [ 1, 2 ], \"none\": {}, \"deep\": {\"er\": {\"still\": \"here\"}}},\n" \
  "  \"decimals\": {"                                                      \
  "\"third\": 12.345, \"text\": \"12.345\", \"negative\": -0.5, "          \
  "\"inexact\": 9007199254740.993, \"most\": 9223372036854775.807, "       \
  "\"least\": -9223372036854775.808, \"more\": 9223372036854775.808, "     \
  "\"tiny\": 0.000000000000000001, \"zeros\": 1.500, "                     \
  "\"power_text\": \"1e2\", \"blank\": \" 1\", \"open\": \"1.\", "         \
  "\"plus\": \"+1\", \"words\": \"one\"} }"
/* clang-format on */

#endif
