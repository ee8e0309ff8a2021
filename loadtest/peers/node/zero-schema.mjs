// What Zero is told of the records: anybody may read and write them. Its server is given the permissions, its clients the
// schema. The mutators are the built-in ones, which need no server of an application beside the cache.
import { ANYONE_CAN_DO_ANYTHING, createSchema, definePermissions, string, table } from '@rocicorp/zero';

const record = table('record').columns({ id: string(), value: string() }).primaryKey('id');

export const schema = createSchema({ tables: [record], enableLegacyQueries: true, enableLegacyMutators: true });
export const permissions = definePermissions(schema, () => ({ record: ANYONE_CAN_DO_ANYTHING }));
