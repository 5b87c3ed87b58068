// Prints how a GraphQL schema changed between two files, one change a line with its level: BREAKING, DANGEROUS
// or NON_BREAKING. The removal of what was deprecated does not count, nor do descriptions.
import { readFileSync } from 'node:fs';
import { DiffRule, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

// The library has this rule for fields and enum values only.
const suppressRemovalOfDeprecatedArgument = ({ changes, oldSchema }) =>
  changes.filter(({ type, meta }) => {
    if (type !== 'FIELD_ARGUMENT_REMOVED') return true;
    const { args } = oldSchema.getType(meta.typeName).getFields()[meta.fieldName];
    return !args.find(({ name }) => name === meta.removedFieldArgumentName).deprecationReason;
  });

const [before, after] = process.argv.slice(2).map((file) => buildSchema(readFileSync(file, 'utf8')));
const rules = [
  DiffRule.suppressRemovalOfDeprecatedField,
  suppressRemovalOfDeprecatedArgument,
  DiffRule.ignoreDescriptionChanges,
];
for (const { criticality, message } of await diff(before, after, rules)) {
  console.log(`${criticality.level} ${message}`);
}
